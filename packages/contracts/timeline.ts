import type { Chunk, Plan, Track } from "./plan.ts";
import type { TrackId } from "./ids.ts";

/** One media segment of a track: times in ticks of the track's timescale, from the title's start. */
export interface SegmentSpan {
  readonly number: number;
  readonly start: number;
  readonly duration: number;
}

/** The segments [first, first + count) of a track in order; all of them when no range is given. */
export function* segmentSpans(track: Track, first = 1, count = Number.POSITIVE_INFINITY): Generator<SegmentSpan> {
  let number = 1;
  let start = 0;
  for (const run of track.timeline) {
    // A whole run before the wanted range is stepped over at once: films have thousands of segments.
    const skip = Math.min(run.count, Math.max(0, first - number));
    number += skip;
    start += skip * run.ticks;
    for (let i = skip; i < run.count; i++) {
      if (number >= first + count) return;
      yield { number, start, duration: run.ticks };
      number += 1;
      start += run.ticks;
    }
  }
}

export function segmentCount(track: Track): number {
  return track.timeline.reduce((sum, run) => sum + run.count, 0);
}

/** Ticks of the whole track. */
export function trackTicks(track: Track): number {
  return track.timeline.reduce((sum, run) => sum + run.count * run.ticks, 0);
}

/** How many media segments a whole plan has, over all tracks; init segments are not counted. */
export function planSegmentCount(plan: Plan): number {
  return plan.tracks.reduce((sum, track) => sum + segmentCount(track), 0);
}

export function findTrack(plan: Plan, id: string): Track | undefined {
  return plan.tracks.find((track) => track.id === id);
}

/** The chunk that makes segment `number` of `track`; the init segment (0) comes with any, so the first is named. */
export function chunkOf(plan: Plan, track: TrackId, number: number): Chunk | undefined {
  const wanted = Math.max(1, number);
  return plan.chunks.find(
    (chunk) =>
      chunk.tracks.includes(track) && wanted >= chunk.firstSegment && wanted < chunk.firstSegment + chunk.segments,
  );
}
