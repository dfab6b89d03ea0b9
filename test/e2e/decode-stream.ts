import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProcess } from "@gakuen/ffmpeg";

/** A track's init segment and all its segments in one file, as a player's buffer holds them. */
export async function joinTrack(folder: string, track: string): Promise<string> {
  const names = await readdir(join(folder, track));
  const segments = names
    .filter((name) => name.endsWith(".m4s"))
    .sort((a, b) => Number.parseInt(a) - Number.parseInt(b));
  const parts = await Promise.all(["init.mp4", ...segments].map((name) => readFile(join(folder, track, name))));
  const path = join(folder, `${track}-joined.mp4`);
  await writeFile(path, Buffer.concat(parts));
  return path;
}

/**
 * Presentation times of the decoded frames of a video in ticks of its track, counted from the first: reading a joined
 * track without an edit list, ffmpeg 5.1 shows all times later by the largest negative composition offset.
 */
export async function decodedTimes(path: string): Promise<number[]> {
  const { stdout } = await runProcess(
    "ffprobe",
    ["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts", "-of", "csv=p=0", path],
    { signal: AbortSignal.timeout(120_000) },
  );
  const times = stdout.split("\n").flatMap((line) => (/^\d+/.test(line) ? [Number.parseInt(line)] : []));
  return times.map((time) => time - (times[0] ?? 0));
}
