import { PipelineError } from "@gakuen/contracts";
import { asBuffer, type Box, findBox, MAX_BOX_HEADER, readBoxes, readBoxHeader, requireBox } from "./boxes.ts";
import { applyEdit, readEdit } from "./edit-list.ts";
import { readHandler, readTimescale } from "./init-segment.ts";
import { readSampleTable, UnusualSampleTable } from "./sample-table.ts";

/** Random access to a file, wherever it lies. Reads give fewer bytes only where the file ends. */
export interface ByteReader {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What the tables of an MP4 or QuickTime file say of its samples. */
export interface Mp4Index {
  readonly tracks: readonly Mp4Track[];
  /** One more than the highest byte that any sample needs; more than the file has means that it is truncated. */
  readonly dataEnd: number;
}

/** Times in ticks, zero being the movie's own, as ffmpeg shows them with `-copyts`. */
export interface Mp4Track {
  /** Place among the trak boxes, which is ffmpeg's stream index. */
  readonly stream: number;
  /** `vide`, `soun`, `text`, … (ISO/IEC 14496-12 §8.4.3). */
  readonly handler: string;
  /** Ticks per second. */
  readonly timescale: number;
  /** Of the samples that are shown, after the edit list, ascending. Uncompressed audio counts packets, not samples. */
  readonly presentationTimes: Float64Array;
  /** Of the sample that is shown last. */
  readonly lastDuration: number;
  /** Presentation times of the sync samples among those that are shown, ascending. */
  readonly keyframes: Float64Array;
  /** What the edit list adds to composition times; 0 where there is none. */
  readonly editShift: number;
}

/** Boxes that such files begin with; anything else is not ISO BMFF or QuickTime. */
const firstBoxes = new Set(["ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "uuid", "styp"]);
/** A moov has about 16 bytes per sample; more than this is damage or malice. */
const MAX_MOOV = 512 * 1024 * 1024;
/** Each costs a read, over a network perhaps; real files have fewer than ten. */
const MAX_TOP_LEVEL_BOXES = 1000;

/**
 * Reads the index of a source without its media: the top-level boxes' headers and the moov box, wherever it lies.
 *
 * Null when the file is not ISO BMFF, is fragmented, or is so unusual or damaged that counting its packets is safer.
 * Errors: `source.truncated` when the file ends before its moov box does; whatever the reader throws.
 */
export async function readMp4Index(reader: ByteReader): Promise<Mp4Index | null> {
  try {
    const moov = await readMoov(reader);
    return moov === null ? null : indexOf(moov);
  } catch (error) {
    if (error instanceof UnusualSampleTable) return null;
    if (error instanceof PipelineError && error.code === "ingest.malformed") return null;
    throw error;
  }
}

async function readMoov(reader: ByteReader): Promise<Buffer | null> {
  let last = "";
  let offset = 0;
  for (let boxes = 0; offset < reader.size; boxes++) {
    if (boxes === MAX_TOP_LEVEL_BOXES) return null;
    const bytes = asBuffer(await reader.read(offset, Math.min(MAX_BOX_HEADER, reader.size - offset)));
    const header = readBoxHeader(bytes, 0);
    if (header === undefined) break;
    const { type, headerSize } = header;
    if (offset === 0 && !firstBoxes.has(type)) return null;
    // Fragments, or an image file (HEIF), or bytes that are no boxes.
    if (type === "moof" || type === "sidx" || type === "meta" || !/^[\x20-\x7e]{4}$/.test(type)) return null;
    const size = header.size === 0 ? reader.size - offset : header.size;
    if (offset + size > reader.size || (header.size === 0 && type === "mdat")) throw truncated(reader.size, type);
    if (type === "moov") {
      if (size > MAX_MOOV) return null;
      return asBuffer(await reader.read(offset + headerSize, size - headerSize));
    }
    last = type;
    offset += size;
  }
  if (last === "") return null;
  throw truncated(reader.size, last);
}

function truncated(size: number, type: string): PipelineError {
  return new PipelineError(
    "source.truncated",
    `The file ends at ${size} bytes, in or after its box '${type}', before its index (the moov box) is complete: ` +
      "it was not fully copied, downloaded or recorded. Fetch it again.",
  );
}

function indexOf(moov: Buffer): Mp4Index | null {
  const boxes = [...readBoxes(moov)];
  if (boxes.some((box) => box.type === "mvex" || box.type === "cmov")) return null;
  const movieTimescale = readTimescale(requireBox(moov, "mvhd"));
  const traks = boxes.filter((box) => box.type === "trak");
  const [firstTrak] = traks;
  if (firstTrak === undefined || coverBefore(boxes)) return null;
  const tracks: Mp4Track[] = [];
  let dataEnd = 0;
  for (const [stream, trak] of traks.entries()) {
    const mdia = requireBox(trak.body, "mdia").body;
    const handler = readHandler(requireBox(mdia, "hdlr"));
    const timescale = readTimescale(requireBox(mdia, "mdhd"));
    const table = readSampleTable(requireBox(mdia, "minf", "stbl").body, handler);
    dataEnd = Math.max(dataEnd, table.dataEnd);
    const elst = findBox(trak.body, "edts", "elst");
    const edit = elst === undefined ? undefined : readEdit(elst, timescale, movieTimescale);
    if (elst !== undefined && elst.body.readUInt32BE(4) > 0 && edit === undefined && table.durations.length > 0)
      return null;
    const edited = edit === undefined ? undefined : applyEdit(table, edit, handler, timescale);
    const presented = edited?.presented ?? Array.from(table.decodeTimes.keys());
    const shift = edited?.shift ?? 0;
    const shown = (sample: number): number => (table.compositionTimes[sample] ?? 0) + shift;
    let last = presented[0] ?? 0;
    for (const sample of presented) if (shown(sample) > shown(last)) last = sample;
    tracks.push({
      stream,
      handler,
      timescale,
      presentationTimes: Float64Array.from(presented, shown).sort(),
      lastDuration: table.durations[last] ?? 0,
      keyframes: Float64Array.from(
        presented.filter((sample) => table.sync[sample] === 1),
        shown,
      ).sort(),
      editShift: shift,
    });
  }
  return { tracks, dataEnd };
}

/** A cover picture is a stream of its own to ffmpeg; before a track it would move that track's stream index. */
function coverBefore(boxes: readonly Box[]): boolean {
  const lastTrak = boxes.findLastIndex((box) => box.type === "trak");
  return boxes
    .slice(0, lastTrak)
    .some((box) => (box.type === "udta" || box.type === "meta") && box.body.includes("covr", 0, "latin1"));
}
