import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/**
 * Seconds of output so far, each time ffmpeg says so on its `-progress` pipe (twice a second).
 * Lines are `key=value`; `out_time_us` is in microseconds, or `N/A` before the first frame.
 */
export async function* encodedSeconds(progress: Readable): AsyncGenerator<number> {
  for await (const line of createInterface({ input: progress })) {
    const [key, value] = line.split("=", 2);
    if (key !== "out_time_us") continue;
    const microseconds = Number(value);
    if (Number.isFinite(microseconds) && microseconds >= 0) yield microseconds / 1e6;
  }
}
