/**
 * Media time as decimal text. Times are counted in whole microseconds from integer ticks, never in floating point: a
 * duration such as 1001/24000 s has no finite decimal, so something must be rounded, and each caller says which way.
 */
export type Rounding = "up" | "down" | "nearest";

/** Ticks in microseconds. */
export function microseconds(ticks: number, timescale: number, rounding: Rounding): bigint {
  const scale = BigInt(timescale);
  const product = BigInt(ticks) * 1_000_000n;
  if (rounding === "up") return (product + scale - 1n) / scale;
  if (rounding === "down") return product / scale;
  return (product * 2n + scale) / (scale * 2n);
}

/** Microseconds as seconds, without trailing zeros: `4.004`, `10`, `0.000001`. */
export function decimalSeconds(micros: bigint): string {
  const whole = micros / 1_000_000n;
  const fraction = (micros % 1_000_000n).toString().padStart(6, "0").replace(/0+$/, "");
  return fraction === "" ? `${whole}` : `${whole}.${fraction}`;
}
