import { PipelineError, type Rational } from "@gakuen/contracts";

/** What a stream asks of a decoder. */
export interface H264Needs {
  /** Luma samples. */
  readonly width: number;
  readonly height: number;
  readonly frameRate: Rational;
  /** Bit/s and bits of the VBV. */
  readonly maxrate: number;
  readonly bufsize: number;
}

/** Rec. ITU-T H.264 Table A-1: level × 10, MaxMBPS, MaxFS (macroblocks), MaxBR (1000 bit/s), MaxCPB (1000 bits). */
const levels = [
  [10, 1_485, 99, 64, 175],
  [11, 3_000, 396, 192, 500],
  [12, 6_000, 396, 384, 1_000],
  [13, 11_880, 396, 768, 2_000],
  [20, 11_880, 396, 2_000, 2_000],
  [21, 19_800, 792, 4_000, 4_000],
  [22, 20_250, 1_620, 4_000, 4_000],
  [30, 40_500, 1_620, 10_000, 10_000],
  [31, 108_000, 3_600, 14_000, 14_000],
  [32, 216_000, 5_120, 20_000, 20_000],
  [40, 245_760, 8_192, 20_000, 25_000],
  [41, 245_760, 8_192, 50_000, 62_500],
  [42, 522_240, 8_704, 50_000, 62_500],
  [50, 589_824, 22_080, 135_000, 135_000],
  [51, 983_040, 36_864, 240_000, 240_000],
  [52, 2_073_600, 36_864, 240_000, 240_000],
  [60, 4_177_920, 139_264, 240_000, 240_000],
  [61, 8_355_840, 139_264, 480_000, 480_000],
  [62, 16_711_680, 139_264, 800_000, 800_000],
] as const;

/** cpbBrVclFactor of the High profile, bits per unit of MaxBR and MaxCPB (Rec. ITU-T H.264 §A.3.3, Table A-2). */
const HIGH_PROFILE_FACTOR = 1250;

/**
 * The lowest level, times ten, at which a High profile decoder must play such a stream: Rec. ITU-T H.264 §A.3.1 (frame
 * size, each side at most sqrt(8 MaxFS), macroblocks per second, 172 frames per second or 300 from level 6 on) and
 * §A.3.3 (bit rate and buffer). Pictures are taken as frames. Errors: `usage.invalid` when no level is enough.
 */
export function h264Level(needs: H264Needs): number {
  const columns = Math.ceil(needs.width / 16);
  const rows = Math.ceil(needs.height / 16);
  const { num, den } = needs.frameRate;
  for (const [level, maxMbps, maxFs, maxBr, maxCpb] of levels) {
    if (columns * rows > maxFs || columns ** 2 > 8 * maxFs || rows ** 2 > 8 * maxFs) continue;
    if (columns * rows * num > maxMbps * den || num > (level < 60 ? 172 : 300) * den) continue;
    if (needs.maxrate > maxBr * HIGH_PROFILE_FACTOR || needs.bufsize > maxCpb * HIGH_PROFILE_FACTOR) continue;
    return level;
  }
  throw new PipelineError(
    "usage.invalid",
    `No H.264 level allows ${needs.width}x${needs.height} at ${num}/${den} frames per second with ` +
      `${needs.maxrate} bit/s and a buffer of ${needs.bufsize} bits. Ask for a smaller rung.`,
  );
}
