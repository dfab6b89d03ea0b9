import type { ChunkId, InspectedVideo, TrackId, VideoChunk } from "@gakuen/contracts";
import { cutChunks } from "./chunking.ts";
import type { FrameGrid } from "./grid.ts";
import { seekTo } from "./seek.ts";

/** Chunks whose end lies in the last seconds of a title are encoded with more threads, see {@link threadsFor}. */
const TAIL_SECONDS = 10;

/**
 * The video chunks of a title.
 *
 * @param rungs the video tracks' ids, highest first
 * @param seekable whether the container can be sought; where it cannot, the film is one chunk read from its start
 */
export function videoChunks(
  video: InspectedVideo,
  grid: FrameGrid,
  rungs: readonly TrackId[],
  seekable: boolean,
): readonly VideoChunk[] {
  const segments = Math.ceil(grid.frames / grid.framesPerSegment);
  const secondsOf = (frame: number): number => (frame * grid.frameTicks) / grid.timescale;
  const startOf = (segment: number): number =>
    grid.originMicroseconds / 1e6 + secondsOf((segment - 1) * grid.framesPerSegment);

  const runs = seekable
    ? cutChunks(segments, (number) => seekTo(startOf(number), video).leadSeconds, {
        segmentSeconds: secondsOf(grid.framesPerSegment),
        minSeconds: 10,
        maxSeconds: 20,
      })
    : [{ first: 1, segments }];

  return runs.flatMap((run, index): VideoChunk[] => {
    const startFrame = (run.first - 1) * grid.framesPerSegment;
    const endFrame = Math.min(grid.frames, startFrame + run.segments * grid.framesPerSegment);
    const chunk = (id: string, tracks: readonly TrackId[]): VideoChunk => ({
      kind: "video",
      id: id as ChunkId,
      tracks: [...tracks],
      firstSegment: run.first,
      segments: run.segments,
      seek: index === 0 ? { mode: "start" } : seekTo(startOf(run.first), video).seek,
      startFrame,
      endFrame,
      threads: threadsFor(index, tracks.length === 1, secondsOf(grid.frames - endFrame), seekable),
    });
    // The lowest rung of the beginning goes ahead of everything: it is what a viewer starts with.
    if (index === 0 && rungs.length > 1 && seekable)
      return [chunk("v0-low", rungs.slice(-1)), chunk("v0-rest", rungs.slice(0, -1))];
    return [chunk(`v${index}`, rungs)];
  });
}

/**
 * x264's bytes depend on its thread count, so the plan fixes it. One thread per encoder is cheapest while there are
 * chunks for everybody (two cost 5 to 10 % more CPU). What a viewer waits for first is worth two; so is the tail, which
 * would leave cores idle.
 */
function threadsFor(index: number, isLowest: boolean, secondsAfter: number, seekable: boolean): number {
  if (!seekable) return 4;
  return (index === 0 && isLowest) || secondsAfter < TAIL_SECONDS ? 2 : 1;
}
