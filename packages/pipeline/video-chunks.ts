import type { ChunkId, InspectedVideo, TrackId, VideoChunk } from "@gakuen/contracts";
import { cutChunks } from "./chunking.ts";
import type { FrameGrid } from "./grid.ts";
import { seekTo } from "./seek.ts";

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
    });
    // The lowest rung of the beginning goes ahead of everything: it is what a viewer starts with.
    if (index === 0 && rungs.length > 1 && seekable)
      return [chunk("v0-low", rungs.slice(-1)), chunk("v0-rest", rungs.slice(0, -1))];
    return [chunk(`v${index}`, rungs)];
  });
}
