import { type Box, findBox, fullBox, malformed, readBoxes, readUint64, requireBox } from "./boxes.ts";

/** The samples of a track in decode order; times in ticks of its own clock, before edit lists. */
export interface SampleTable {
  /** When sample i is decoded and shown, and how long it lasts. */
  readonly decodeTimes: Float64Array;
  readonly compositionTimes: Float64Array;
  readonly durations: Float64Array;
  /** 1 where decoding can begin, else 0. */
  readonly sync: Uint8Array;
  /** Whether the file gives composition times of their own (ctts). */
  readonly reordered: boolean;
  /** One more than the highest byte of the file that a sample needs. */
  readonly dataEnd: number;
}

/** A sample table that is legal or at least readable, but so unusual that it is better measured by demuxing. */
export class UnusualSampleTable extends Error {}

/** A film of a week at 24 frames per second has 14.5 million samples; more is damage or malice. */
const MAX_SAMPLES = 16_000_000;
/** Uncompressed audio has a sample per sampling instant; ffmpeg reads it in packets of this many. */
const PCM_PACKET = 1024;
const LARGEST_OFFSET = 2 ** 28;

/**
 * Reads the tables of an stbl box (ISO/IEC 14496-12 §8.6, §8.7) as ffmpeg's demuxer does: where stts is shorter than
 * the list of samples its last duration goes on, where ctts is shorter the rest has no offset.
 * Errors: `ingest.malformed`; {@link UnusualSampleTable}.
 */
export function readSampleTable(stbl: Buffer, handler: string): SampleTable {
  const stsd = requireBox(stbl, "stsd");
  fullBox(stsd, 8);
  if (stsd.body.readUInt32BE(4) > 1) throw new UnusualSampleTable("several sample descriptions");
  const timeRuns = readPairs(stbl, "stts");
  const chunks = readChunks(stbl);
  const sizes = readSizes(stbl);
  const [firstRun] = timeRuns;
  const pcm = handler === "soun" && timeRuns.length === 1 && firstRun?.value === 1;
  const packets = pcm ? pcmPackets(chunks) : undefined;
  const inChunks = chunks.reduce((sum, chunk) => sum + chunk.samples, 0);
  const count = packets?.length ?? Math.min(sizes.count, inChunks);
  if (count > MAX_SAMPLES) throw new UnusualSampleTable(`${count} samples`);
  const durations = packets ?? spread(timeRuns, count, firstRun === undefined ? 0 : "last");
  const decodeTimes = new Float64Array(count);
  for (let i = 1; i < count; i++) decodeTimes[i] = (decodeTimes[i - 1] ?? 0) + (durations[i - 1] ?? 0);
  const offsetRuns = readCompositionOffsets(stbl);
  const compositionTimes = spread(offsetRuns, count, 0);
  for (let i = 0; i < count; i++) compositionTimes[i] = (compositionTimes[i] ?? 0) + (decodeTimes[i] ?? 0);
  return {
    decodeTimes,
    compositionTimes,
    durations,
    sync: readSync(stbl, count),
    reordered: offsetRuns.length > 0,
    dataEnd: lastByte(chunks, sizes),
  };
}

interface Run {
  readonly count: number;
  readonly value: number;
}

interface Chunk {
  readonly offset: number;
  readonly samples: number;
}

interface Sizes {
  readonly count: number;
  readonly of: (sample: number) => number;
  /** Bytes of every sample where they are all alike, else 0. */
  readonly uniform: number;
}

function spread(runs: readonly Run[], count: number, rest: 0 | "last"): Float64Array<ArrayBuffer> {
  const values = new Float64Array(count);
  let at = 0;
  for (const run of runs) {
    const end = Math.min(count, at + run.count);
    values.fill(run.value, at, end);
    at = end;
  }
  if (rest === "last") values.fill(runs.at(-1)?.value ?? 0, at);
  return values;
}

/** The rows of a table of `columns` 32-bit columns that its entry count promises. */
function tableRows(box: Box, columns: number): number {
  fullBox(box, 8);
  const rows = box.body.readUInt32BE(4);
  if (box.body.length < 8 + rows * columns * 4) throw malformed(`box '${box.type}' is too short for ${rows} entries`);
  return rows;
}

function readPairs(stbl: Buffer, type: "stts" | "ctts"): Run[] {
  const box = findBox(stbl, type);
  if (box === undefined) return [];
  const runs: Run[] = [];
  for (let row = tableRows(box, 2), at = 8; row > 0; row--, at += 8) {
    // ctts: version 0 is unsigned by the letter, but writers put negative offsets there too, and all readers agree.
    const run = { count: box.body.readUInt32BE(at), value: box.body.readInt32BE(at + 4) };
    if (type === "stts" && run.value < 0) throw new UnusualSampleTable("negative durations");
    if (run.count > 0) runs.push(run);
  }
  return runs;
}

function readCompositionOffsets(stbl: Buffer): Run[] {
  const runs = readPairs(stbl, "ctts");
  if (runs.some((run) => Math.abs(run.value) > LARGEST_OFFSET))
    throw new UnusualSampleTable("huge composition offsets");
  return runs;
}

function readSizes(stbl: Buffer): Sizes {
  const stsz = findBox(stbl, "stsz");
  if (stsz !== undefined) {
    fullBox(stsz, 12);
    const uniform = stsz.body.readUInt32BE(4);
    const count = stsz.body.readUInt32BE(8);
    if (uniform > 0) return { count, uniform, of: () => uniform };
    if (stsz.body.length < 12 + 4 * count) throw malformed(`box 'stsz' is too short for ${count} samples`);
    return { count, uniform, of: (sample) => stsz.body.readUInt32BE(12 + 4 * sample) };
  }
  const stz2 = findBox(stbl, "stz2");
  if (stz2 === undefined) return { count: 0, uniform: 0, of: () => 0 };
  fullBox(stz2, 12);
  const bits = stz2.body.readUInt8(7);
  const count = stz2.body.readUInt32BE(8);
  if (bits !== 4 && bits !== 8 && bits !== 16) throw malformed(`box 'stz2' has fields of ${bits} bits`);
  if (stz2.body.length < 12 + Math.ceil((bits * count) / 8)) throw malformed("box 'stz2' is too short");
  const of = (sample: number): number => {
    if (bits === 16) return stz2.body.readUInt16BE(12 + 2 * sample);
    if (bits === 8) return stz2.body.readUInt8(12 + sample);
    const pair = stz2.body.readUInt8(12 + (sample >> 1));
    return sample % 2 === 0 ? pair >> 4 : pair & 0xf;
  };
  return { count, uniform: 0, of };
}

/** Chunks with their sample counts (stsc) and places (stco, co64). */
function readChunks(stbl: Buffer): Chunk[] {
  const stco = findBox(stbl, "stco");
  const co64 = stco === undefined ? findBox(stbl, "co64") : undefined;
  const box = stco ?? co64;
  const stsc = findBox(stbl, "stsc");
  if (box === undefined || stsc === undefined) return [];
  const count = tableRows(box, co64 === undefined ? 1 : 2);
  const rows = tableRows(stsc, 3);
  if (rows === 0) return [];
  const chunks: Chunk[] = [];
  let row = 0;
  for (let i = 0; i < count; i++) {
    while (row + 1 < rows && stsc.body.readUInt32BE(8 + 12 * (row + 1)) <= i + 1) row += 1;
    const offset = co64 === undefined ? box.body.readUInt32BE(8 + 4 * i) : readUint64(box.body, 8 + 8 * i);
    chunks.push({ offset, samples: stsc.body.readUInt32BE(8 + 12 * row + 4) });
  }
  return chunks;
}

/** Durations of the packets in which uncompressed audio is read. */
function pcmPackets(chunks: readonly Chunk[]): Float64Array<ArrayBuffer> {
  const count = chunks.reduce((sum, chunk) => sum + Math.ceil(chunk.samples / PCM_PACKET), 0);
  if (count > MAX_SAMPLES) throw new UnusualSampleTable(`${count} packets of uncompressed audio`);
  const durations = new Float64Array(count);
  let at = 0;
  for (const chunk of chunks) {
    for (let left = chunk.samples; left > 0; left -= PCM_PACKET) durations[at++] = Math.min(PCM_PACKET, left);
  }
  return durations;
}

function lastByte(chunks: readonly Chunk[], sizes: Sizes): number {
  let end = 0;
  let sample = 0;
  for (const { offset, samples } of chunks) {
    const until = Math.min(sizes.count, sample + samples);
    let bytes = 0;
    // QuickTime says 1 for audio whose frames have any size: then only the chunk's first byte is certain.
    if (sizes.uniform > 0) bytes = sizes.uniform === 1 ? Math.min(1, until - sample) : sizes.uniform * (until - sample);
    else for (let i = sample; i < until; i++) bytes += sizes.of(i);
    if (bytes > 0) end = Math.max(end, offset + bytes);
    sample = until;
  }
  return end;
}

/**
 * Where decoding can begin: stss, QuickTime's stps (partial sync) and the sample group `rap ` (ISO/IEC 14496-12 §8.6.2,
 * §10.4). Without stss every sample is a sync sample; with an empty one only the first is taken for one.
 */
function readSync(stbl: Buffer, count: number): Uint8Array {
  const sync = new Uint8Array(count);
  const stss = findBox(stbl, "stss");
  if (stss === undefined) return sync.fill(1);
  let listed = 0;
  for (const box of readBoxes(stbl)) {
    if (box.type === "stss" || box.type === "stps") {
      const rows = tableRows(box, 1);
      for (let row = 0; row < rows; row++) {
        const sample = box.body.readUInt32BE(8 + 4 * row) - 1;
        if (sample >= 0 && sample < count) sync[sample] = 1;
      }
      listed += rows;
    } else if (box.type === "sbgp") {
      listed += markGroup(box, sync);
    }
  }
  if (listed === 0 && count > 0) sync[0] = 1;
  return sync;
}

function markGroup(sbgp: Box, sync: Uint8Array): number {
  const { version } = fullBox(sbgp, 12);
  if (sbgp.body.toString("latin1", 4, 8) !== "rap ") return 0;
  const start = version === 1 ? 12 : 8;
  fullBox(sbgp, start + 4);
  const rows = sbgp.body.readUInt32BE(start);
  fullBox(sbgp, start + 4 + 8 * rows);
  let sample = 0;
  for (let row = 0; row < rows; row++) {
    const at = start + 4 + 8 * row;
    const end = sample + sbgp.body.readUInt32BE(at);
    if (sbgp.body.readUInt32BE(at + 4) > 0) sync.fill(1, sample, end);
    sample = end;
  }
  return rows;
}
