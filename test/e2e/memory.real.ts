import { join } from "node:path";
import { expect, test } from "vitest";
import { type EncodeMemory, measureEncode, noisyFilm } from "./encode-memory.ts";
import { temporaryFolder } from "./gakuen-process.ts";

/** How far the long film's peak may lie above the short one's: what a heap that is collected at leisure differs by. */
const boundMb = (short: EncodeMemory): number => short.peakMb * 0.2 + 20;

test("memory does not grow with the length of a film", { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  const encode = async (minutes: number): Promise<EncodeMemory> => {
    // Few frames of much noise: many megabytes for little work.
    const source = await noisyFilm({ minutes, size: "1280x720", rate: 2 });
    return measureEncode(source, join(folder.path, `${minutes}`), ["--preset", "ultrafast", "--rungs", "720"]);
  };
  const short = await encode(1);
  const long = await encode(6);
  console.log(`1 min: ${JSON.stringify(short)}\n6 min: ${JSON.stringify(long)}`);
  // Else a pipeline that holds a whole film would pass.
  expect(long.mediaMb - short.mediaMb).toBeGreaterThan(1.5 * boundMb(short));
  expect(long.peakMb - short.peakMb).toBeLessThan(boundMb(short));
});
