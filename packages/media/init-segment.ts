import { PipelineError } from "@gakuen/contracts";
import { type Box, findBox, fullBox, malformed, printable, readBoxes, requireBox } from "./boxes.ts";
import { type SampleEntry, readSampleEntry } from "./sample-entry.ts";

/** What the init segment of a CMAF track says of it. */
export interface InitInfo {
  readonly trackId: number;
  readonly kind: "video" | "audio";
  /** Ticks per second of the track's media times. */
  readonly timescale: number;
  /** RFC 6381 codecs parameter. */
  readonly codec: string;
  /** Pixels as coded; 0 for audio. */
  readonly width: number;
  readonly height: number;
  /** 0 for video. */
  readonly channels: number;
  readonly sampleRate: number;
  /** From trex: ticks, bytes and sample flags (ISO/IEC 14496-12 §8.8.3); fragments may override them. */
  readonly defaultSampleDuration: number;
  readonly defaultSampleSize: number;
  readonly defaultSampleFlags: number;
  /** Whether the presentation is shifted or cut by an edit list. */
  readonly hasEditList: boolean;
}

/**
 * Reads an init segment (ISO/IEC 23000-19 §7.3.1): exactly one track, of video or audio, with one sample entry.
 * Errors: `ingest.malformed`.
 */
export function readInit(bytes: Uint8Array): InitInfo {
  const moov = requireBox(bytes, "moov");
  const tracks = [...readBoxes(moov.body)].filter((box) => box.type === "trak");
  const [trak] = tracks;
  if (trak === undefined || tracks.length > 1) throw malformed(`${tracks.length} tracks where CMAF has exactly one`);
  const trackId = readTrackId(requireBox(trak.body, "tkhd"));
  const mdia = requireBox(trak.body, "mdia").body;
  const kind = readKind(requireBox(mdia, "hdlr"));
  const entries = requireBox(mdia, "minf", "stbl", "stsd");
  fullBox(entries, 8);
  const [entry] = readBoxes(entries.body.subarray(8));
  if (entry === undefined) throw malformed("the sample description is empty");
  const sample: SampleEntry = readSampleEntry(kind, entry);
  return {
    trackId,
    kind,
    timescale: readTimescale(requireBox(mdia, "mdhd")),
    ...sample,
    ...readTrackDefaults(moov, trackId),
    hasEditList: findBox(trak.body, "edts", "elst") !== undefined,
  };
}

/** ISO/IEC 14496-12 §8.3.2. */
function readTrackId(tkhd: Box): number {
  const { version } = fullBox(tkhd, 24);
  return tkhd.body.readUInt32BE(version === 1 ? 20 : 12);
}

/** Ticks per second of a media or movie header, which begin alike (ISO/IEC 14496-12 §8.4.2, §8.2.2). */
export function readTimescale(header: Box): number {
  const { version } = fullBox(header, 20);
  const at = version === 1 ? 20 : 12;
  if (header.body.length < at + 4) throw malformed(`box ${printable(header.type)} is too short`);
  const timescale = header.body.readUInt32BE(at);
  if (timescale === 0) throw malformed(`the timescale in ${printable(header.type)} is 0`);
  return timescale;
}

/** The four characters that say what a track holds (ISO/IEC 14496-12 §8.4.3). */
export function readHandler(hdlr: Box): string {
  fullBox(hdlr, 12);
  return hdlr.body.toString("latin1", 8, 12);
}

function readKind(hdlr: Box): "video" | "audio" {
  const handler = readHandler(hdlr);
  if (handler === "vide") return "video";
  if (handler === "soun") return "audio";
  throw malformed(`the track's handler is ${printable(handler)}, neither video nor audio`);
}

function readTrackDefaults(moov: Box, trackId: number) {
  const mvex = requireBox(moov.body, "mvex");
  for (const trex of readBoxes(mvex.body)) {
    if (trex.type !== "trex") continue;
    fullBox(trex, 24);
    if (trex.body.readUInt32BE(4) !== trackId) continue;
    return {
      defaultSampleDuration: trex.body.readUInt32BE(12),
      defaultSampleSize: trex.body.readUInt32BE(16),
      defaultSampleFlags: trex.body.readUInt32BE(20),
    };
  }
  throw new PipelineError("ingest.malformed", `Not a fragmented MP4: track ${trackId} has no trex box.`);
}
