import { asBuffer, type Box, fullBox, malformed, readBoxes, readUint64, requireBox } from "./boxes.ts";
import type { InitInfo } from "./init-segment.ts";
import { readTrackRun, type TrackRun } from "./track-run.ts";

/** What a fragment (moof + mdat) says of its samples; times in ticks of the track's timescale. */
export interface FragmentInfo {
  readonly sequenceNumber: number;
  readonly trackId: number;
  /** Decode time of the first sample (tfdt). */
  readonly decodeTime: number;
  readonly samples: number;
  /** Sum of the samples' durations. */
  readonly duration: number;
  /** Whether the first sample can be decoded without any before it. */
  readonly startsWithSync: boolean;
  /** Presentation time of the sample shown first, relative to `decodeTime`. */
  readonly firstPresentationOffset: number;
  /** Bytes of each sample in decode order. */
  readonly sampleSizes: readonly number[];
  /** Of the first sample's first byte, within the fragment's bytes. The samples lie one after the other. */
  readonly dataOffset: number;
}

/** sample_is_non_sync_sample (ISO/IEC 14496-12 §8.8.3.1). */
const NON_SYNC = 0x0001_0000;

/**
 * Reads a fragment of a CMAF track (ISO/IEC 23000-19 §7.3.2.3): one moof with one traf, then one mdat that holds
 * exactly its samples. Defaults come from tfhd, then from the init segment's trex (ISO/IEC 14496-12 §8.8.7, §8.8.8).
 * Errors: `ingest.malformed`.
 */
export function readFragment(bytes: Uint8Array, init: InitInfo): FragmentInfo {
  const slice = asBuffer(bytes);
  const { moof, mdat } = moofAndMdat(slice);
  const mfhd = requireBox(moof.body, "mfhd");
  fullBox(mfhd, 8);
  const traf = onlyTraf(moof);
  const header = readTrackFragmentHeader(requireBox(traf.body, "tfhd"), init);
  const runs: TrackRun[] = [];
  for (const box of readBoxes(traf.body)) if (box.type === "trun") runs.push(readTrackRun(box, header));

  const dataOffset = checkRunsLieInMdat(runs, moof, mdat);
  const sampleSizes = runs.flatMap((run) => run.sizes);
  const payload = sampleSizes.reduce((sum, size) => sum + size, 0);
  if (payload !== mdat.body.length) {
    throw malformed(`the samples have ${payload} bytes, the mdat holds ${mdat.body.length}`);
  }
  let duration = 0;
  let firstPresentationOffset = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    for (let i = 0; i < run.sizes.length; i++) {
      firstPresentationOffset = Math.min(firstPresentationOffset, duration + (run.compositionOffsets[i] ?? 0));
      duration += run.durations[i] ?? 0;
    }
  }
  return {
    sequenceNumber: mfhd.body.readUInt32BE(4),
    trackId: init.trackId,
    decodeTime: readDecodeTime(requireBox(traf.body, "tfdt")),
    samples: sampleSizes.length,
    duration,
    startsWithSync: ((runs.find((run) => run.sizes.length > 0)?.firstFlags ?? NON_SYNC) & NON_SYNC) === 0,
    firstPresentationOffset: sampleSizes.length === 0 ? 0 : firstPresentationOffset,
    sampleSizes,
    dataOffset,
  };
}

/**
 * Gives a fragment another sequence number (mfhd) and decode time (tfdt), in place; nothing else changes, so sample
 * bytes and sizes stay. Errors: `ingest.malformed` when there is no such box or a 32-bit tfdt cannot hold the time.
 */
export function retimeFragment(
  bytes: Buffer,
  to: { readonly sequenceNumber: number; readonly decodeTime: number },
): void {
  const { moof } = moofAndMdat(bytes);
  const mfhd = requireBox(moof.body, "mfhd");
  fullBox(mfhd, 8);
  const tfdt = requireBox(onlyTraf(moof).body, "tfdt");
  if (fullBox(tfdt, 8).version === 1) {
    fullBox(tfdt, 12);
    tfdt.body.writeBigUInt64BE(BigInt(to.decodeTime), 4);
  } else {
    if (to.decodeTime > 0xffff_ffff) throw malformed(`the 32-bit tfdt cannot hold the decode time ${to.decodeTime}`);
    tfdt.body.writeUInt32BE(to.decodeTime, 4);
  }
  mfhd.body.writeUInt32BE(to.sequenceNumber, 4);
}

function moofAndMdat(slice: Buffer): { readonly moof: Box; readonly mdat: Box } {
  const boxes = [...readBoxes(slice)].filter((box) => box.type === "moof" || box.type === "mdat");
  const [moof, mdat] = boxes;
  if (boxes.length !== 2 || moof?.type !== "moof" || mdat?.type !== "mdat") {
    throw malformed("a fragment is one moof and one mdat after it");
  }
  return { moof, mdat };
}

function onlyTraf(moof: Box): Box {
  const trafs = [...readBoxes(moof.body)].filter((box) => box.type === "traf");
  const [traf] = trafs;
  if (traf === undefined || trafs.length > 1) throw malformed(`${trafs.length} traf boxes where CMAF has exactly one`);
  return traf;
}

/** Ticks (ISO/IEC 14496-12 §8.8.12). */
function readDecodeTime(tfdt: Box): number {
  const { version } = fullBox(tfdt, 8);
  if (version === 0) return tfdt.body.readUInt32BE(4);
  fullBox(tfdt, 12);
  return readUint64(tfdt.body, 4);
}

/** Defaults for the samples of a fragment (ISO/IEC 14496-12 §8.8.7). */
function readTrackFragmentHeader(tfhd: Box, init: InitInfo) {
  const { flags } = fullBox(tfhd, 8);
  const trackId = tfhd.body.readUInt32BE(4);
  if (trackId !== init.trackId)
    throw malformed(`the fragment is of track ${trackId}, the init segment of ${init.trackId}`);
  if ((flags & 0x1) !== 0) throw malformed("a base data offset, which means nothing outside of its file");
  let offset = 8;
  const field = (flag: number, otherwise: number): number => {
    if ((flags & flag) === 0) return otherwise;
    fullBox(tfhd, offset + 4);
    offset += 4;
    return tfhd.body.readUInt32BE(offset - 4);
  };
  field(0x2, 1);
  return {
    duration: field(0x8, init.defaultSampleDuration),
    size: field(0x10, init.defaultSampleSize),
    flags: field(0x20, init.defaultSampleFlags),
  };
}

/** Offset of the first sample; every run must begin where the one before it ended, the first at the mdat's payload. */
function checkRunsLieInMdat(runs: readonly TrackRun[], moof: Box, mdat: Box): number {
  const payload = mdat.offset + mdat.size - mdat.body.length;
  let expected = payload;
  for (const [i, run] of runs.entries()) {
    const start = run.dataOffset === undefined ? (i === 0 ? moof.offset : expected) : moof.offset + run.dataOffset;
    if (start !== expected) throw malformed(`samples begin at ${start}, not at ${expected} where the mdat's bytes are`);
    for (const size of run.sizes) expected += size;
  }
  return payload;
}
