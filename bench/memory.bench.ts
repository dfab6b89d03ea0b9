import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EncodeMemory, measureEncode, noisyFilm } from "../test/e2e/encode-memory.ts";
import { median } from "./measure-command.ts";

const MINUTES = [1, 60] as const;

/**
 * Does memory grow with the length of a film? `gakuen encode` of one minute against one hour of the same noise. The
 * resident size also shows what V8 keeps in reserve, more on a quick machine; the live heap does not.
 */
export async function run({ runs }: { runs: number }): Promise<void> {
  const ratios: { readonly peak: number; readonly heap: number }[] = [];
  for (let index = 0; index < runs; index++) {
    const short = await measure(MINUTES[0]);
    const long = await measure(MINUTES[1]);
    ratios.push({ peak: long.peakMb / short.peakMb, heap: long.liveHeapMb / short.liveHeapMb });
    console.log(`run ${index + 1}: ${MINUTES[0]} min: ${told(short)}; ${MINUTES[1]} min: ${told(long)}`);
  }
  const ratio = (values: readonly number[]): string => median(values).toFixed(2);
  console.log(`${MINUTES[1]} min over ${MINUTES[0]} min: peak ${ratio(ratios.map(({ peak }) => peak))}`);
  console.log(`live heap ${ratio(ratios.map(({ heap }) => heap))} (aim ≤ 1.1)`);
}

async function measure(minutes: number): Promise<EncodeMemory> {
  const source = await noisyFilm({ minutes, size: "320x180", rate: 24 });
  const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
  try {
    return await measureEncode(source, join(folder, "out"), ["--preset", "ultrafast", "--rungs", "180"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const told = ({ peakMb, quarterPeaksMb, liveHeapMb, mediaMb, seconds }: EncodeMemory): string =>
  `peak ${peakMb.toFixed(0)} MB (by quarters ${quarterPeaksMb.join(", ")}), live heap ${liveHeapMb.toFixed(1)} MB, ${mediaMb.toFixed(0)} MB of media, ${seconds.toFixed(1)} s`;
