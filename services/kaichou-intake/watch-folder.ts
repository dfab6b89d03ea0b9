import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { kindOfName } from "./film-name.ts";
import { fileVersion } from "./locate-source.ts";
import type { SeenFilm, WatchedPlace } from "./watched-place.ts";

/** Longer than a copy over a network pauses between two writes. */
const SETTLE_MS = 10_000;
const EVERY_MS = 2_000;

/**
 * A folder with its sub-folders. It is simply looked through: that also works where events do not exist or get lost
 * (network file systems, containers' mounts, a restart). Links to files are followed, links to folders are not.
 */
export function watchedFolder(folder: string, settleMs = SETTLE_MS): WatchedPlace {
  return {
    shown: folder,
    place: "folder",
    settleMs,
    everyMs: Math.min(EVERY_MS, settleMs),
    films: (other) => filmsIn(folder, other),
  };
}

async function* filmsIn(root: string, other: (name: string) => void): AsyncGenerator<SeenFilm> {
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await entriesOf(folder, folder === root)) {
      const path = join(folder, entry.name);
      // Judged from the watched folder on: that may itself lie in a hidden one.
      const kind = kindOfName(relative(root, path));
      if (kind === "hidden") continue;
      if (entry.isDirectory()) folders.push(path);
      else if (kind === "other") other(path);
      else if (entry.isFile() || entry.isSymbolicLink()) yield* seen(path);
    }
  }
}

/** A sub-folder may be gone by now, or be none of our business. */
async function entriesOf(folder: string, isRoot: boolean): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isRoot) throw error;
    return [];
  }
}

async function* seen(path: string): AsyncGenerator<SeenFilm> {
  const facts = await stat(path).catch(() => undefined);
  // An empty file is a film that has not begun to arrive.
  if (!facts?.isFile() || facts.size === 0) return;
  const version = fileVersion(facts.size, Math.floor(facts.mtimeMs));
  yield { name: path, version, source: { kind: "file", path }, object: null };
}
