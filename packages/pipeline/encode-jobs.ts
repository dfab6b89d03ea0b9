import {
  type AudioTrack,
  type Chunk,
  type ChunkRef,
  EncodeJob,
  PipelineError,
  type Plan,
  type SourceAddress,
  segmentSpans,
  type Track,
  type VideoTrack,
} from "@gakuen/contracts";
import { timelineOf } from "./grid.ts";

/** The job that makes one chunk: all that an encoder must know, cut from the plan. */
export function encodeJob(ref: ChunkRef, plan: Plan, chunk: Chunk, source: SourceAddress, grant: string): EncodeJob {
  const tracks = chunk.tracks.map((id): Track => {
    const track = plan.tracks.find((candidate) => candidate.id === id);
    if (!track)
      throw new PipelineError("internal", `chunk ${chunk.id} names track ${id}, which the plan does not have`);
    return withChunkTimeline(track, chunk);
  });
  const base = { ref, source, originMicroseconds: plan.originMicroseconds, grant };
  return EncodeJob.parse(
    chunk.kind === "video"
      ? { kind: "video", ...base, picture: plan.picture, chunk, tracks: tracks as VideoTrack[] }
      : { kind: "audio", ...base, chunk, tracks: tracks as AudioTrack[] },
  );
}

/** The track with only the chunk's own segments in its timeline: a film's whole timeline in every job would be a lot. */
function withChunkTimeline(track: Track, chunk: Chunk): Track {
  const spans = [...segmentSpans(track, chunk.firstSegment, chunk.segments)];
  const start = spans[0]?.start ?? 0;
  return {
    ...track,
    timeline: timelineOf(
      spans.map((span) => span.start + span.duration - start),
      1,
    ),
  };
}
