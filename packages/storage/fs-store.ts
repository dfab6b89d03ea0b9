import type { BigIntStats } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PipelineError } from "@gakuen/contracts";
import { errnoOf, fsError, isAbsent, undefinedIfAbsent } from "./fs-errors.ts";
import { createIncomingFile, type IncomingFile, sweepIncoming } from "./incoming.ts";
import { checkKey, checkPrefix, checkPrefixToDelete, compareKeys, INCOMING } from "./key.ts";
import { notFound } from "./not-found.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PresignOptions, PutOnce, PutOptions } from "./port.ts";
import { checkExpiry } from "./presign-expiry.ts";
import { clampRange } from "./range.ts";
import { linkUnlessThere, placeFile, removeEmptyFolders } from "./place-file.ts";
import { writeBody } from "./write-body.ts";

function describe(key: string, stats: BigIntStats): ObjectInfo {
  // Objects are replaced, never rewritten, so the file and its last write name the content.
  const etag = [stats.ino, stats.mtimeNs, stats.size].map((part) => part.toString(36)).join("-");
  return { key, bytes: Number(stats.size), etag, modified: stats.mtime };
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
      await placeFile(this.#root, path, () => rename(file.path, path));
      return object;
    });
  }

  async putIfAbsent(key: string, body: ObjectBody, options: PutOptions = {}): Promise<PutOnce> {
    const path = this.#pathOf(key);
    return await this.#receive(key, body, options, async (file, object) => {
      for (;;) {
        // link(2) never replaces, so exactly one of many writers succeeds.
        const stored = await placeFile(this.#root, path, () => linkUnlessThere(file.path, path));
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

  /** A folder has no URL that others could read by. */
  async presignGet(key: string, options: PresignOptions): Promise<undefined> {
    checkKey(key);
    checkExpiry(options);
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
    await removeEmptyFolders(this.#root, path);
    return removed;
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

/**
 * A store in a folder of the file system, made if it is not there; any number of processes may share it. An object is
 * written to `{root}/.incoming/`, synced and renamed to its key, so it is durable and whole when it can be seen;
 * what killed processes left there is removed. Needs a file system with hard links.
 * Errors: `store.unavailable`.
 */
export async function openFileStore(root: string): Promise<ObjectStore> {
  const path = resolve(root);
  const incoming = join(path, INCOMING);
  try {
    await mkdir(incoming, { recursive: true });
    await sweepIncoming(incoming);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PipelineError("store.unavailable", `Could not open the store in ${path}: ${why}`, { cause: error });
  }
  return new FileStore(path);
}
