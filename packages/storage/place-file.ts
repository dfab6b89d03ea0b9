import { link, mkdir, open, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, isAbsent, undefinedIfAbsent } from "./fs-errors.ts";

/** Deletes may take a folder away between making it and using it; that often in a row it is no accident. */
const ATTEMPTS = 100;

/** The folders between `root` and the file `path`, the nearest first, without the root. */
function* foldersOf(root: string, path: string): Generator<string> {
  for (let folder = dirname(path); folder !== root; folder = dirname(folder)) yield folder;
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

/** Whether a file stands where `path` needs a folder. */
async function hasFileOnTheWay(root: string, path: string): Promise<boolean> {
  for (const folder of foldersOf(root, path)) {
    const stats = await stat(folder).catch(undefinedIfAbsent);
    if (stats !== undefined && !stats.isDirectory()) return true;
  }
  return false;
}

/** Whether the file `from` has got the name `to`; false when another file has it. link(2) never replaces. */
export async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes the folders on the way to `path` that are empty; rmdir(2) refuses those that another put is using. */
export async function removeEmptyFolders(root: string, path: string): Promise<void> {
  for (const folder of foldersOf(root, path)) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (!isAbsent(error)) return;
    }
  }
}

/**
 * Makes the folders on the way to `path`, lets `name` give a file that path, and makes every name on the way durable.
 * All of them are synced, not only those that were missing: another put may have made a folder a moment ago and not
 * synced it yet. On ext4 five folders cost 1.3 ms more than one. Gives what `name` gives. Errors: those of the system.
 */
export async function placeFile<T>(root: string, path: string, name: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(dirname(path), { recursive: true });
      const result = await name();
      await Promise.all([...foldersOf(root, path), root].map(syncFolder));
      return result;
    } catch (error) {
      // A delete took a folder, empty as it still was, away from under us. Of a folder that goes away while mkdir looks
      // at it, mkdir says that it is none, so what stands there must be looked at again.
      const mayPass = ["ENOENT", "ENOTDIR", "EEXIST"].includes(errnoOf(error) ?? "");
      if (mayPass && attempt < ATTEMPTS && !(await hasFileOnTheWay(root, path))) continue;
      await removeEmptyFolders(root, path);
      throw error;
    }
  }
}
