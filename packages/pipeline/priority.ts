import { type Chunk, type Plan, segmentSpans, VIEWER_PRIORITIES } from "@gakuen/contracts";

/**
 * Nobody is watching: early chunks go before late ones across all titles, so that every title becomes playable soon;
 * then the title's own priority decides (0 first … 15 last).
 */
export function backgroundPriority(plan: Plan, chunk: Chunk, titlePriority: number): number {
  return VIEWER_PRIORITIES + Math.min(rank(plan, chunk), 2 ** 16 - 1) * 16 + titlePriority;
}

/** The lowest rung and the sound of the beginning, then the other rungs of the beginning, then by time. */
function rank(plan: Plan, chunk: Chunk): number {
  if (chunk.firstSegment === 1) {
    const lowest = plan.tracks.findLast((track) => track.kind === "video")?.id;
    return chunk.kind === "audio" || lowest === undefined || chunk.tracks.includes(lowest) ? 0 : 1;
  }
  const track = plan.tracks.find((candidate) => candidate.id === chunk.tracks[0]);
  const span = track && segmentSpans(track, chunk.firstSegment, 1).next().value;
  return 2 + Math.floor((span?.start ?? 0) / (track?.timescale ?? 1) / 4);
}

/** A viewer waits: whoever asked last is served first, since earlier requests are often prefetches of a place that the
 * viewer has left. Counts tenths of seconds and wraps around after 29 hours, which at worst reverses two waiting jobs. */
export function viewerPriority(nowMilliseconds: number): number {
  return VIEWER_PRIORITIES - (Math.floor(nowMilliseconds / 100) % (VIEWER_PRIORITIES - 1)) - 1;
}
