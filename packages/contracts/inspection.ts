import { z } from "zod";
import { Colour, Rational } from "./plan.ts";

const seconds = z.number();

/** A video stream as measured, in the terms the planner decides by. */
export const InspectedVideo = z.object({
  stream: z.number().int().nonnegative(),
  codec: z.string(),
  /** Coded size in pixels, before rotation. */
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  sampleAspectRatio: Rational,
  /** Clockwise quarter turns that ffmpeg applies: 0, 90, 180, 270. */
  rotation: z.number().int(),
  /** Size in square pixels as a viewer sees it: after rotation and sample aspect ratio. */
  displayWidth: z.number().int().positive(),
  displayHeight: z.number().int().positive(),
  pixelFormat: z.string(),
  bitDepth: z.number().int().positive(),
  colour: Colour.extend({ assumed: z.boolean() }),
  /** Frames that are presented (after edit lists), counted from the index or the packets, not from headers. */
  frames: z.number().int().positive(),
  frameRate: Rational,
  /** constant: every frame lies on the grid of `frameRate` (within half a tick of its clock). */
  timing: z.enum(["constant", "variable"]),
  /** First frame's presentation time and last frame's end, seconds from the container's start time. */
  start: seconds,
  end: seconds,
  interlacing: z.enum(["progressive", "interlaced"]),
  /** Presentation times of key frames, seconds from the container's start time; empty where there is no index. */
  keyframes: z.array(seconds),
  bitrate: z.number().int().nullable(),
});
export type InspectedVideo = z.infer<typeof InspectedVideo>;

export const InspectedAudio = z.object({
  stream: z.number().int().nonnegative(),
  codec: z.string(),
  sampleRate: z.number().int().positive(),
  channels: z.number().int().positive(),
  channelLayout: z.string(),
  language: z.string().meta({ description: "BCP 47, und where unknown" }),
  label: z.string().nullable(),
  default: z.boolean(),
  start: seconds,
  /** As the container declares it. */
  duration: seconds.nullable(),
  /** Where the last packet ends, by its own time, seconds from the container's start time; null where that is unknown. */
  end: seconds.nullable(),
  bitrate: z.number().int().nullable(),
});
export type InspectedAudio = z.infer<typeof InspectedAudio>;

/** What a source is. Measured once at intake; the planner looks at nothing else. */
export const Inspection = z.object({
  /** `sha256:` over the size and the first, middle and last mebibyte of the content. */
  fingerprint: z.string(),
  bytes: z.number().int().positive(),
  container: z.string().meta({ description: "ffmpeg's format name" }),
  /** Whether a demuxer can be sent to a time and lands exactly; false for MPEG-TS and raw streams. */
  seekable: z.boolean(),
  duration: seconds,
  video: InspectedVideo.nullable(),
  audio: z.array(InspectedAudio),
  /** What is odd about the source but does not stop it, for people. */
  warnings: z.array(z.string()),
});
export type Inspection = z.infer<typeof Inspection>;
