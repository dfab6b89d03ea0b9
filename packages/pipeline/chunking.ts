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
 * encoder has least to decode before its first frame. Towards the end they become shorter, each at most half of what is
 * left: a chunk is encoded by one thread, and encoders that finish at different times would wait for the slowest.
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
  // best[i]: cheapest way to cut segments 1…i; from[i]: where its last chunk begins.
  const best = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
  const from = new Int32Array(count + 1);
  best[0] = 0;
  best[1] = 0;
  for (let start = 1; start < count; start++) {
    const [shortest, longest] = allowedLengths(count - start, lengths);
    const cost = (best[start] ?? 0) + START_COST + leadSeconds(start + 1);
    for (let length = shortest; length <= longest; length++) {
      const end = start + length;
      // Of equal ways the one with the shorter last chunk: it leaves less to wait for.
      if (cost > (best[end] ?? 0)) continue;
      best[end] = cost;
      from[end] = start;
    }
  }
  const runs: SegmentRun[] = [];
  for (let end = count; end > 0; end = from[end] ?? 0) {
    const start = from[end] ?? 0;
    runs.unshift({ first: start + 1, segments: end - start });
  }
  return runs;
}

/** How many segments a chunk may have that begins with `rest` segments left. */
function allowedLengths(
  rest: number,
  { segmentSeconds, minSeconds, maxSeconds }: ChunkLengths,
): readonly [number, number] {
  const longest = Math.max(1, Math.floor(maxSeconds / segmentSeconds + 1e-9));
  if (rest <= 2 * longest) return [1, Math.ceil(rest / 2)];
  return [Math.min(longest, Math.ceil(minSeconds / segmentSeconds - 1e-9)), longest];
}
