/** A run of whole segments: numbers `first` … `first + segments - 1`, counted from 1. */
export interface SegmentRun {
  readonly first: number;
  readonly segments: number;
}

export interface ChunkLengths {
  /** Seconds of one segment. */
  readonly segmentSeconds: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/** Seconds of encoding that starting a process, opening the source and claiming the chunk cost (measured: 0.1–0.2). */
const START_COST = 0.2;

/**
 * Cuts a title into chunks: the first is one segment, so that playback can begin; then 10–20 s each, placed where the
 * encoder has least to decode before its first frame.
 *
 * Shortest path over the segment boundaries: a chunk costs its start-up and its lead-in. Decoding from the previous
 * key frame is what short chunks pay for (8 % of the whole at 10 s, nothing when they start on a key frame).
 *
 * @param count segments of the title
 * @param leadSeconds seconds to decode before segment `number` (from 1) can be encoded
 */
export function cutChunks(
  count: number,
  leadSeconds: (number: number) => number,
  lengths: ChunkLengths,
): readonly SegmentRun[] {
  const min = Math.max(1, Math.ceil(lengths.minSeconds / lengths.segmentSeconds - 1e-9));
  const max = Math.max(min, Math.floor(lengths.maxSeconds / lengths.segmentSeconds + 1e-9));
  // best[i]: cheapest way to cut segments 1…i; from[i]: where its last chunk begins.
  const best = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
  const from = new Int32Array(count + 1);
  best[0] = 0;
  best[1] = 0;
  for (let end = 2; end <= count; end++) {
    for (let length = 1; length <= max && end - length >= 1; length++) {
      // Only the last chunk may be shorter than the minimum.
      if (length < min && end !== count) continue;
      const start = end - length;
      const cost = (best[start] ?? 0) + START_COST + leadSeconds(start + 1);
      if (cost < (best[end] ?? 0)) {
        best[end] = cost;
        from[end] = start;
      }
    }
  }
  const runs: SegmentRun[] = [];
  for (let end = count; end > 0; end = from[end] ?? 0) {
    const start = from[end] ?? 0;
    runs.unshift({ first: start + 1, segments: end - start });
  }
  return runs;
}
