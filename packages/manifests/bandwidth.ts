import { PipelineError } from "@gakuen/contracts";

export interface Bandwidth {
  /** Bit/s of the densest segment, rounded up. */
  readonly peak: number;
  /** Bit/s over all segments, rounded up. */
  readonly average: number;
}

/**
 * The bandwidth of a track from its stored segments; `bytes` is the size of the object, `duration` is in ticks of
 * `timescale`. The segments are read once, so they may come straight from a query.
 *
 * The peak over single segments is never below what either specification defines: HLS takes the densest run of segments
 * between 0.5 and 1.5 target durations (RFC 8216 §4.1), whose mean cannot exceed its densest member; DASH asks that a
 * channel of that rate never starves after `minBufferTime` (ISO/IEC 23009-1 §5.3.5.2), which holds when every segment
 * fits into its own duration.
 *
 * Errors: `internal` when there is no segment or one has no duration.
 */
export function measureBandwidth(
  segments: Iterable<{ readonly bytes: number; readonly duration: number }>,
  timescale: number,
): Bandwidth {
  let peak = 0n;
  // Bits of a long title times ticks per second leave the safe range of a double, so the sums are big integers.
  let bytes = 0n;
  let ticks = 0n;
  for (const segment of segments) {
    if (!(segment.duration > 0)) throw new PipelineError("internal", "a stored segment has no duration");
    const rate = bitsPerSecond(BigInt(segment.bytes), BigInt(segment.duration), timescale);
    if (rate > peak) peak = rate;
    bytes += BigInt(segment.bytes);
    ticks += BigInt(segment.duration);
  }
  if (ticks === 0n) throw new PipelineError("internal", "the bandwidth of a track without segments cannot be measured");
  return { peak: Number(peak), average: Number(bitsPerSecond(bytes, ticks, timescale)) };
}

function bitsPerSecond(bytes: bigint, ticks: bigint, timescale: number): bigint {
  return (bytes * 8n * BigInt(timescale) + ticks - 1n) / ticks;
}
