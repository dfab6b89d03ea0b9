import { type Box, fullBox, malformed } from "./boxes.ts";

/** Samples of a fragment that lie one after the other. */
export interface TrackRun {
  /** Of the first sample, from the moof's first byte; undefined where the run follows the one before it. */
  readonly dataOffset: number | undefined;
  /** Sample flags of the first sample. */
  readonly firstFlags: number;
  /** Bytes and ticks per sample. */
  readonly sizes: readonly number[];
  readonly durations: readonly number[];
  readonly compositionOffsets: readonly number[];
}

/**
 * Reads a trun box (ISO/IEC 14496-12 §8.8.8); `defaults` stand in for what it leaves out.
 * Errors: `ingest.malformed`.
 */
export function readTrackRun(
  trun: Box,
  defaults: { readonly duration: number; readonly size: number; readonly flags: number },
): TrackRun {
  const { version, flags } = fullBox(trun, 8);
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const count = trun.body.readUInt32BE(4);
  const headerBytes = 8 + (has(0x1) ? 4 : 0) + (has(0x4) ? 4 : 0);
  const sampleBytes = [0x100, 0x200, 0x400, 0x800].filter((flag) => has(flag)).length * 4;
  if (trun.body.length !== headerBytes + count * sampleBytes) {
    throw malformed(
      `a trun of ${count} samples has ${trun.body.length} bytes, needs ${headerBytes + count * sampleBytes}`,
    );
  }
  // Without fields per sample nothing but this bounds what a hostile count makes us allocate.
  if (sampleBytes === 0 && count > MAX_UNIFORM_SAMPLES) throw malformed(`a trun claims ${count} samples`);

  let offset = 8;
  const next = (): number => {
    offset += 4;
    return trun.body.readUInt32BE(offset - 4);
  };
  const dataOffset = has(0x1) ? next() | 0 : undefined;
  const firstSampleFlags = has(0x4) ? next() : undefined;
  let firstFlags = firstSampleFlags ?? defaults.flags;
  const sizes: number[] = [];
  const durations: number[] = [];
  const compositionOffsets: number[] = [];
  for (let i = 0; i < count; i++) {
    durations.push(has(0x100) ? next() : defaults.duration);
    sizes.push(has(0x200) ? next() : defaults.size);
    if (has(0x400)) {
      const sampleFlags = next();
      if (i === 0) firstFlags = firstSampleFlags ?? sampleFlags;
    }
    // Version 1 is signed: CMAF video has its first presented sample at the fragment's decode time.
    compositionOffsets.push(has(0x800) ? (version === 0 ? next() : next() | 0) : 0);
  }
  return { dataOffset, firstFlags, sizes, durations, compositionOffsets };
}

const MAX_UNIFORM_SAMPLES = 1_000_000;
