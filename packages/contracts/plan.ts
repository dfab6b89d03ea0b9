import { z } from "zod";
import { ChunkId, TrackId } from "./ids.ts";

const positive = z.number().int().positive();
const count = z.number().int().nonnegative();

/** An exact fraction; a frame rate in frames per second, an aspect ratio in width per height. */
export const Rational = z.object({ num: positive, den: positive });
export type Rational = z.infer<typeof Rational>;

/** `count` segments of `ticks` each, one after the other: what `S@d` and `S@r` are in a SegmentTimeline. */
export const TimelineRun = z.object({ ticks: positive, count: positive });
export type TimelineRun = z.infer<typeof TimelineRun>;

/** CICP code points by ffmpeg's names (ISO/IEC 23091-2), as the encoder writes them into the bit stream. */
export const Colour = z.object({
  primaries: z.string(),
  transfer: z.string(),
  matrix: z.string(),
  range: z.enum(["tv", "pc"]),
});
export type Colour = z.infer<typeof Colour>;

/** What every track says of itself. `timeline` covers the track from 0 in its own timescale, without gaps. */
const trackBase = {
  id: TrackId,
  codec: z
    .string()
    .describe("RFC 6381 codecs parameter; the encoder is forced to it and the uploader refuses anything else."),
  timescale: positive.describe("Ticks per second."),
  sampleTicks: positive.describe(
    "Ticks of one sample (a frame, an audio packet); all samples of a track are equally long.",
  ),
  timeline: z.array(TimelineRun).min(1),
  bandwidth: positive.describe("Peak over one segment, bit/s; an estimate until the segments are measured."),
  averageBandwidth: positive.describe("Mean, bit/s; an estimate until the segments are measured."),
};

export const VideoTrack = z.object({
  kind: z.literal("video"),
  ...trackBase,
  width: positive,
  height: positive,
  frameRate: Rational.describe("Frames per second of the grid, which all video tracks of a plan share."),
  encoder: z.object({
    name: z.literal("libx264"),
    preset: z.string(),
    crf: z.number(),
    maxrate: positive.describe("VBV, bit/s."),
    bufsize: positive.describe("VBV, bits."),
    profile: z.literal("high"),
    level: positive.describe("H.264 level times ten, for instance 40 for level 4."),
    pixelFormat: z.literal("yuv420p"),
  }),
});
export type VideoTrack = z.infer<typeof VideoTrack>;

export const AudioTrack = z.object({
  kind: z.literal("audio"),
  ...trackBase,
  language: z.string().describe("BCP 47; `und` where the source does not say."),
  label: z.string(),
  default: z.boolean(),
  channels: positive,
  stream: count.describe("Index of the stream in the source, as ffmpeg counts (`0:index`)."),
  encoder: z.object({
    name: z.literal("aac"),
    bitrate: positive,
    sampleRate: positive,
    channelLayout: z.string(),
  }),
});
export type AudioTrack = z.infer<typeof AudioTrack>;

export const Track = z.discriminatedUnion("kind", [VideoTrack, AudioTrack]);
export type Track = z.infer<typeof Track>;

/** How the source's picture becomes the grid's frames, the same for every video chunk. */
export const Picture = z.object({
  stream: count.describe("Index of the stream in the source, as ffmpeg counts (`0:index`)."),
  frameRate: Rational,
  frames: positive.describe("Frames of the whole title on the grid."),
  framesPerSegment: positive,
  deinterlace: z.boolean().describe("Deinterlacing halves nothing: bwdif sends one frame per frame."),
  toneMap: z
    .enum(["smpte2084", "arib-std-b67"])
    .nullable()
    .describe("The source's HDR transfer when it must be mapped to SDR, else null."),
  sourceColour: Colour.describe(
    "Colour of the source as decoded (assumed where it does not say); converted where it is not the output's.",
  ),
  colour: Colour.describe("Colour of the output."),
});
export type Picture = z.infer<typeof Picture>;

/**
 * Where a chunk's encoder begins to read.
 * `start`: at the beginning. `keyframe`: `seconds` is a time at which the demuxer lands exactly on the
 * wanted keyframe (needs the source's index). `before`: decode from `seconds`, somewhat before the chunk.
 * Seconds count from the container's start time, as ffmpeg's -ss does.
 */
export const Seek = z.discriminatedUnion("mode", [
  z.object({ mode: z.literal("start") }),
  z.object({ mode: z.literal("keyframe"), seconds: z.number().nonnegative() }),
  z.object({ mode: z.literal("before"), seconds: z.number().nonnegative() }),
]);
export type Seek = z.infer<typeof Seek>;

const chunkBase = {
  id: ChunkId,
  tracks: z
    .array(TrackId)
    .min(1)
    .describe("The tracks that this chunk makes; a video chunk makes several rungs from one decode."),
  firstSegment: positive.describe("Number of the first segment that it makes; numbers count from 1."),
  segments: positive.describe("How many segments it makes of each of its tracks."),
  seek: Seek,
};

export const VideoChunk = z.object({
  kind: z.literal("video"),
  ...chunkBase,
  startFrame: count.describe("First frame on the grid."),
  endFrame: positive.describe("Frame after the last one."),
});
export type VideoChunk = z.infer<typeof VideoChunk>;

export const AudioChunk = z.object({
  kind: z.literal("audio"),
  ...chunkBase,
  startPacket: count.describe("First packet of the track."),
  endPacket: positive.describe("Packet after the last one."),
  preroll: count.describe("Packets that are encoded before startPacket and dropped."),
  padding: count
    .optional()
    .describe(
      "Samples by which the source's sound ends before the chunk does. Silence follows it, by hardly more than that: " +
        "an encoder that lacks more has not read the whole source, and fails. Left out where the end is not known.",
    ),
});
export type AudioChunk = z.infer<typeof AudioChunk>;

export const Chunk = z.discriminatedUnion("kind", [VideoChunk, AudioChunk]);
export type Chunk = z.infer<typeof Chunk>;

/** One decision of the planner and its reason, for people. */
export const Decision = z.object({ about: z.string(), choice: z.string(), because: z.string() });
export type Decision = z.infer<typeof Decision>;

/**
 * What a title becomes, decided once and never changed: every track, every segment boundary, every encoder
 * setting. Named by a hash of itself ({@link planIdOf}); it does not say where the source lies, so the same
 * content with the same settings has the same plan wherever it is.
 */
export const Plan = z.object({
  version: z.literal(1),
  fingerprint: z.string().describe("Content fingerprint of the source, see the inspection."),
  /** Length of the presentation. */
  duration: z.object({ ticks: positive, timescale: positive }),
  originMicroseconds: z
    .number()
    .int()
    .describe(
      "Time zero of the title on the source's clock, in microseconds from the container's start time (what ffmpeg shows with -copyts -start_at_zero).",
    ),
  picture: Picture.nullable(),
  tracks: z.array(Track).min(1),
  chunks: z.array(Chunk).min(1).describe("In the order in which they should be encoded when nobody is watching."),
  decisions: z.array(Decision),
});
export type Plan = z.infer<typeof Plan>;

/** What a person may ask of a plan. Everything has a default; what is left out is decided by the planner. */
export const PlanSettings = z.object({
  preset: z
    .enum(["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"])
    .default("veryfast")
    .meta({ description: "x264 preset: speed against size" }),
  rungs: z
    .array(z.number().int().min(120).max(4320))
    .min(1)
    .max(12)
    .optional()
    .meta({ description: "heights of the ladder for a 16:9 picture; default: all standard ones that do not upscale" }),
  segmentSeconds: z.number().min(1).max(12).default(4).meta({ description: "nominal length of a segment" }),
});
export type PlanSettings = z.infer<typeof PlanSettings>;
