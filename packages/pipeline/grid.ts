import type { InspectedAudio, InspectedVideo, Rational, TimelineRun } from "@gakuen/contracts";
import { rescale, videoTimescale } from "@gakuen/media";

/** The frames that every video track of a title shares, and its segments. */
export interface FrameGrid {
  readonly frameRate: Rational;
  readonly timescale: number;
  /** Ticks of one frame. */
  readonly frameTicks: number;
  readonly frames: number;
  readonly framesPerSegment: number;
  /** Time zero of the title, microseconds from the container's start time. */
  readonly originMicroseconds: number;
}

/** Audio may begin this much before the picture and be cut; what is longer is kept under a still first frame. */
const AUDIO_LEAD_SECONDS = 0.5;

export function frameGrid(video: InspectedVideo, audio: readonly InspectedAudio[], segmentSeconds: number): FrameGrid {
  const { frameRate } = video;
  const timescale = videoTimescale(frameRate);
  const frameTicks = (frameRate.den * timescale) / frameRate.num;
  const fps = frameRate.num / frameRate.den;
  const lead = video.start - Math.min(video.start, ...audio.map((track) => track.start));
  // The title starts with the first frame; whole frames are put before it only for a long lead of sound.
  const stillFrames = lead > AUDIO_LEAD_SECONDS ? Math.floor(lead * fps) : 0;
  const moving = video.timing === "constant" ? video.frames : Math.max(1, Math.round((video.end - video.start) * fps));
  return {
    frameRate,
    timescale,
    frameTicks,
    frames: moving + stillFrames,
    framesPerSegment: Math.max(1, Math.round(segmentSeconds * fps)),
    originMicroseconds: Math.round((video.start - stillFrames / fps) * 1e6),
  };
}

/** Lengths of equal steps up to a total, as a timeline: whole steps, then the rest. */
export function evenTimeline(total: number, step: number): readonly TimelineRun[] {
  const whole = Math.floor(total / step);
  const rest = total - whole * step;
  return [...(whole > 0 ? [{ ticks: step, count: whole }] : []), ...(rest > 0 ? [{ ticks: rest, count: 1 }] : [])];
}

/** Samples in an AAC packet (ISO/IEC 14496-3, 4.5.2.1.1: 1024 for AAC-LC). */
export const AAC_PACKET = 1024;

/**
 * Where an audio track's segments end, in packets: each boundary is the packet boundary nearest to the video's, so
 * that both sets of segments keep in step for ever; the last one reaches the end of the picture or just beyond, since
 * players stop or stall on audio that is shorter than the video.
 *
 * @param boundaries ends of the segments in ticks of `timescale`, ascending; the last is the end of the title
 */
export function packetBoundaries(boundaries: readonly number[], timescale: number, sampleRate: number): number[] {
  const last = boundaries.length - 1;
  const packets = boundaries.map((ticks, index) =>
    rescale(ticks, timescale * AAC_PACKET, sampleRate, index === last ? "ceil" : "round"),
  );
  return packets;
}

/** Run lengths of the steps between ascending boundaries (the first step begins at 0). */
export function timelineOf(boundaries: readonly number[], ticksPerUnit: number): TimelineRun[] {
  const runs: { ticks: number; count: number }[] = [];
  let previous = 0;
  for (const boundary of boundaries) {
    const ticks = (boundary - previous) * ticksPerUnit;
    const run = runs.at(-1);
    if (run?.ticks === ticks) run.count += 1;
    else runs.push({ ticks, count: 1 });
    previous = boundary;
  }
  return runs;
}
