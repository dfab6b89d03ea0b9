import {
  Colour,
  type Decision,
  type Inspection,
  PipelineError,
  Plan,
  type PlanId,
  type PlanSettings,
  planIdOf,
} from "@gakuen/contracts";
import { audioChunks } from "./audio-chunks.ts";
import { explain } from "./explain.ts";
import { type FrameGrid, frameGrid } from "./grid.ts";
import { ladder } from "./ladder.ts";
import { audioTrack, outputColour, videoTrack } from "./tracks.ts";
import { videoChunks } from "./video-chunks.ts";

/**
 * Decides everything about a title, once. Pure: the same inspection with the same settings gives the same plan, and
 * its id is a hash of what it says.
 *
 * Errors: `source.no-streams` when there is neither picture nor sound.
 */
export function planTitle(inspection: Inspection, settings: PlanSettings): { plan: Plan; planId: PlanId } {
  const { video } = inspection;
  const grid = video ? frameGrid(video, inspection.audio, settings.segmentSeconds) : null;
  const clock = grid ? pictureClock(grid) : soundClock(inspection, settings.segmentSeconds);

  const rungs = video && grid ? ladder(video, grid.frameRate, settings) : [];
  const videoTracks = grid ? rungs.map((rung) => videoTrack(rung, grid, settings)) : [];
  const defaultIndex = Math.max(
    0,
    inspection.audio.findIndex((track) => track.default),
  );
  const audioTracks = inspection.audio.map((source, index) =>
    audioTrack(source, index + 1, index === defaultIndex, clock.boundaries, clock.timescale),
  );
  if (videoTracks.length + audioTracks.length === 0)
    throw new PipelineError("source.no-streams", "the source has neither a video nor an audio stream to encode");

  const { toneMap, colour } = outputColour(inspection);
  const picture =
    video && grid
      ? {
          stream: video.stream,
          frameRate: grid.frameRate,
          frames: grid.frames,
          framesPerSegment: grid.framesPerSegment,
          deinterlace: video.interlacing === "interlaced",
          toneMap,
          sourceColour: Colour.parse(video.colour),
          colour,
        }
      : null;
  const pictureChunks =
    video && grid
      ? videoChunks(
          video,
          grid,
          videoTracks.map((track) => track.id),
          inspection.seekable,
        )
      : [];
  const soundChunks = audioTracks.flatMap((track, index) =>
    audioChunks(track, clock.originMicroseconds, inspection.seekable, inspection.audio[index]?.end ?? null),
  );

  const decided = {
    version: 1 as const,
    fingerprint: inspection.fingerprint,
    duration: { ticks: clock.boundaries.at(-1) ?? 0, timescale: clock.timescale },
    originMicroseconds: clock.originMicroseconds,
    picture,
    tracks: [...videoTracks, ...audioTracks],
    chunks: [...soundChunks, ...pictureChunks],
  };
  const decisions: Decision[] = explain(inspection, settings, decided);
  const plan = Plan.parse({ ...decided, decisions });
  return { plan, planId: planIdOf(plan) };
}

/** The common clock of a title's segments: where each ends, in ticks. */
interface SegmentClock {
  readonly timescale: number;
  readonly boundaries: readonly number[];
  readonly originMicroseconds: number;
}

function pictureClock(grid: FrameGrid): SegmentClock {
  const step = grid.framesPerSegment * grid.frameTicks;
  return {
    timescale: grid.timescale,
    boundaries: stepsTo(grid.frames * grid.frameTicks, step),
    originMicroseconds: grid.originMicroseconds,
  };
}

/** Without a picture the first sound is time zero, and segments are as long as asked. */
function soundClock(inspection: Inspection, segmentSeconds: number): SegmentClock {
  const timescale = 48_000;
  const start = Math.min(...inspection.audio.map((track) => track.start), Number.MAX_SAFE_INTEGER);
  const origin = inspection.audio.length > 0 ? start : 0;
  const end = Math.max(inspection.duration, ...inspection.audio.map((track) => track.start + (track.duration ?? 0)));
  const total = Math.round((end - origin) * timescale);
  return {
    timescale,
    boundaries: stepsTo(total, Math.round(segmentSeconds * timescale)),
    originMicroseconds: Math.round(origin * 1e6),
  };
}

function stepsTo(total: number, step: number): number[] {
  const boundaries: number[] = [];
  for (let at = step; at < total; at += step) boundaries.push(at);
  return [...boundaries, total];
}
