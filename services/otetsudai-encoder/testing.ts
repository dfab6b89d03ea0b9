import { copyFile, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ObjectStore } from "@gakuen/storage";
import { type PlannedFilm, storeWith, type TestParts } from "../kaikeishi-uploader/testing.ts";

let copies = 0;

/** The film at a path of its own, so that its ffmpeg can be told from everybody else's. */
export async function copyOf(film: PlannedFilm, { folder }: TestParts): Promise<PlannedFilm & { path: string }> {
  const path = join(folder, `copy-${++copies}.mp4`);
  if (film.source.kind === "file") await copyFile(film.source.path, path);
  return { ...film, source: { kind: "file", path }, path };
}

/** Ids of the ffmpeg processes that read this file. */
export async function ffmpegsReading(path: string): Promise<number[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const reading = await Promise.all(
    ids.map(async (id) => {
      const command = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      return command.startsWith("ffmpeg\0") && command.includes(path) ? [Number(id)] : [];
    }),
  );
  return reading.flat();
}

/** Resolves when no ffmpeg reads this file; the test's own time limit catches one that stays. */
export async function ffmpegGone(path: string): Promise<void> {
  while ((await ffmpegsReading(path)).length > 0) await delay(10);
}

/** Regular files that a process has open. */
export async function openFiles(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => "")));
  return targets.filter((target) => target.startsWith("/") && !target.startsWith("/dev/"));
}

export interface HeldStore {
  readonly store: ObjectStore;
  /** Resolves when the first object with that ending is about to be stored. */
  readonly reached: Promise<void>;
  /** Lets it be stored, and all that come after it. */
  release(): void;
}

/** A store that keeps whoever stores an object whose key ends with `ending` waiting, as a slow one does. */
export function heldStore(store: ObjectStore, ending: string): HeldStore {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    release: released.resolve,
    store: storeWith(store, {
      async putIfAbsent(key, body, options = {}) {
        if (key.endsWith(ending)) {
          reached.resolve();
          const aborted = new Promise<void>((resolve) => options.signal?.addEventListener("abort", () => resolve()));
          await Promise.race([released.promise, aborted]);
        }
        return store.putIfAbsent(key, body, options);
      },
    }),
  };
}
