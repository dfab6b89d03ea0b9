import type { BigIntStats } from "node:fs";
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { PipelineError } from "@gakuen/contracts";
import { errnoOf, fsError, isAbsent } from "./fs-errors.ts";
import { createIncomingFile, type IncomingFile, sweepIncoming } from "./incoming.ts";
import { checkKey, checkPrefix, checkPrefixToDelete, compareKeys, INCOMING } from "./key.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "./port.ts";
import { clampRange } from "./range.ts";
import { writeBody } from "./write-body.ts";

/** Deletes may take a folder away between making it and using it; that often in a row it is no accident. */
const PLACE_ATTEMPTS = 100;

function describe(key: string, stats: BigIntStats): ObjectInfo {
  // Objects are replaced, never rewritten, so the file and its last write name the content.
  const etag = [stats.ino, stats.mtimeNs, stats.size].map((part) => part.toString(36)).join("-");
  return { key, bytes: Number(stats.size), etag, modified: stats.mtime };
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}

/** A folder that is gone has nothing to make durable: what was in it has been deleted. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(undefinedIfAbsent);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

class FileStore implements ObjectStore {
  readonly #root: string;
  readonly #incoming: string;

  constructor(root: string) {
    this.#root = root;
    this.#incoming = join(root, INCOMING);
  }

  async put(key: string, body: ObjectBody, options: PutOptions = {}): Promise<ObjectInfo> {
    const path = this.#pathOf(key);
    return await this.#receive(key, body, options, async (file, object) => {
      await this.#place(path, () => rename(file.path, path));
      return object;
    });
  }

  async putIfAbsent(
    key: string,
    body: ObjectBody,
    options: PutOptions = {},
  ): Promise<{ stored: boolean; object: ObjectInfo }> {
    const path = this.#pathOf(key);
    return await this.#receive(key, body, options, async (file, object) => {
      for (;;) {
        // link(2) never replaces, so exactly one of many writers succeeds.
        const stored = await this.#place(path, () => linkUnlessThere(file.path, path));
        if (stored) return { stored, object };
        const winner = await stat(path, { bigint: true }).catch(undefinedIfAbsent);
        if (winner?.isDirectory() === true) {
          throw new PipelineError("usage.invalid", `Could not store ${key}: it is a folder of other objects`);
        }
        // Deleted since: the place is free again.
        if (winner !== undefined) return { stored, object: describe(key, winner) };
      }
    });
  }

  async get(key: string, options: GetOptions = {}): ReturnType<ObjectStore["get"]> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    const handle = await open(path, "r").catch((error: unknown) => {
      throw isAbsent(error) ? notFound(key) : fsError(error, `read ${key}`);
    });
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw notFound(key);
      const info = describe(key, stats);
      const range =
        options.range === undefined ? { start: 0, end: info.bytes } : clampRange(options.range, key, info.bytes);
      const body = handle.createReadStream({
        start: range.start,
        // `end` is the last byte here, and an empty object has none.
        ...(range.end > range.start ? { end: range.end - 1 } : {}),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return { info, body };
    } catch (error) {
      await handle.close();
      throw fsError(error, `read ${key}`);
    }
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    try {
      const stats = await stat(this.#pathOf(key), { bigint: true });
      return stats.isFile() ? describe(key, stats) : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw fsError(error, `look up ${key}`);
    }
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    for await (const key of this.#keys(folderOf(prefix), prefix)) {
      const object = await this.stat(key);
      if (object !== undefined) yield object;
    }
  }

  async delete(key: string): Promise<void> {
    await this.#remove(this.#pathOf(key), key);
  }

  async deletePrefix(prefix: string): Promise<number> {
    checkPrefixToDelete(prefix);
    let count = 0;
    for await (const key of this.#keys(folderOf(prefix), prefix)) {
      if (await this.#remove(this.#pathOf(key), key)) count += 1;
    }
    return count;
  }

  #pathOf(key: string): string {
    checkKey(key);
    return join(this.#root, key);
  }

  /** Writes the body to a file of its own, syncs it and gives it to `place`; whatever happens, the file is gone then. */
  async #receive<T>(
    key: string,
    body: ObjectBody,
    { signal }: PutOptions,
    place: (file: IncomingFile, object: ObjectInfo) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const failed = (error: unknown): PipelineError => fsError(error, `store ${key}`);
    const file = await createIncomingFile(this.#incoming).catch((error: unknown) => {
      throw failed(error);
    });
    try {
      let stats: BigIntStats;
      try {
        await writeBody(file.handle, body, signal, failed);
        await file.handle.sync();
        stats = await file.handle.stat({ bigint: true });
      } finally {
        await file.handle.close();
      }
      signal?.throwIfAborted();
      return await place(file, describe(key, stats)).catch((error: unknown) => {
        throw failed(error);
      });
    } finally {
      await rm(file.path, { force: true });
    }
  }

  /** Gives a written file its name with `name`, in folders that exist, and makes them durable. */
  async #place<T>(path: string, name: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        await mkdir(dirname(path), { recursive: true });
        const result = await name();
        await this.#syncFolders(path);
        return result;
      } catch (error) {
        // A delete took the folder, empty as it still was, away from under us.
        if (errnoOf(error) === "ENOENT" && attempt < PLACE_ATTEMPTS) continue;
        await this.#removeEmptyFolders(path);
        throw error;
      }
    }
  }

  /**
   * Makes the names on the way to `path` durable. All of them, not only those that this put made: another put may have
   * made a folder a moment ago and not synced it yet. On ext4 five folders cost 1.3 ms more than one.
   */
  async #syncFolders(path: string): Promise<void> {
    await Promise.all([...this.#foldersOf(path), this.#root].map(syncFolder));
  }

  /** The folders that hold `path`, the nearest first, without the root. */
  *#foldersOf(path: string): Generator<string> {
    for (let folder = dirname(path); folder !== this.#root; folder = dirname(folder)) yield folder;
  }

  /** Whether there was an object to remove. What is not durable here is only the removal. */
  async #remove(path: string, key: string): Promise<boolean> {
    let removed = true;
    try {
      await unlink(path);
    } catch (error) {
      // A folder is no object.
      if (!isAbsent(error) && errnoOf(error) !== "EISDIR") throw fsError(error, `delete ${key}`);
      removed = false;
    }
    await this.#removeEmptyFolders(path);
    return removed;
  }

  /** rmdir(2) refuses a folder that is not empty, so what another put is using stays. */
  async #removeEmptyFolders(path: string): Promise<void> {
    for (const folder of this.#foldersOf(path)) {
      try {
        await rmdir(folder);
      } catch (error) {
        if (!isAbsent(error)) return;
      }
    }
  }

  /** Keys that begin with `prefix` in the folder `folder` ("" or ending with "/"), in the order of keys. */
  async *#keys(folder: string, prefix: string): AsyncGenerator<string> {
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw fsError(error, `list ${folder}`);
    });
    // The slash takes part in the order: "a-b" stands before all of "a/…", "a0" behind.
    const names = entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => folder + entry.name + (entry.isDirectory() ? "/" : ""))
      .filter((name) => name.startsWith(prefix) && name !== `${INCOMING}/`)
      .sort(compareKeys);
    for (const name of names) {
      if (name.endsWith("/")) yield* this.#keys(name, prefix);
      else yield name;
    }
  }
}

/** The folder in which all keys with this prefix lie: "" or ending with "/". */
function folderOf(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf("/") + 1);
}

function notFound(key: string): PipelineError {
  return new PipelineError("store.not-found", `There is no object ${key} in the store`);
}

/**
 * A store in a folder of the file system, made if it is not there; any number of processes may share it. An object is
 * written to `{root}/.incoming/`, synced and renamed to its key, so it is durable and whole when it can be seen;
 * what killed processes left there is removed. Needs a file system with hard links.
 * Errors: `store.unavailable`, `store.full`.
 */
export async function openFileStore(root: string): Promise<ObjectStore> {
  const path = resolve(root);
  const incoming = join(path, INCOMING);
  try {
    await mkdir(incoming, { recursive: true });
    await sweepIncoming(incoming);
  } catch (error) {
    throw fsError(error, `open the store in ${path}`);
  }
  return new FileStore(path);
}
