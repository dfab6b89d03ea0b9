import { PipelineError, type Rational } from "@gakuen/contracts";

export type Rounding = "floor" | "round" | "ceil";

/**
 * `ticks` of a clock of `from` ticks per second, on a clock of `to` ticks per second. Exact; `round` takes halves away
 * from zero, as ffmpeg's av_rescale does. Errors: `internal` when a timescale is not a positive integer or the result
 * is beyond 2^53.
 */
export function rescale(ticks: number | bigint, from: number, to: number, rounding: Rounding): number {
  if (from <= 0 || to <= 0)
    throw new PipelineError("internal", `Cannot rescale from ${from} to ${to} ticks per second.`);
  return divide(whole(ticks) * whole(to), whole(from), rounding);
}

/**
 * Ticks at which frame number `frames` of a constant grid begins. Errors: `internal` when the clock cannot say it
 * exactly; a clock of {@link videoTimescale} always can.
 */
export function framesToTicks(frames: number, frameRate: Rational, timescale: number): number {
  const product = whole(frames) * whole(frameRate.den) * whole(timescale);
  const num = whole(frameRate.num);
  if (product % num !== 0n) {
    throw new PipelineError(
      "internal",
      `Frame ${frames} at ${frameRate.num}/${frameRate.den} fps is no whole number of ticks of 1/${timescale} s.`,
    );
  }
  return exact(product / num);
}

/** Ticks per second in which every frame of a grid has a whole length: the rate's numerator, finer where it is coarse. */
export function videoTimescale(frameRate: Rational): number {
  const { num } = reduceRational(frameRate);
  return num < 1000 ? num * 1000 : num;
}

/** Greatest common divisor of two integers, not negative. */
export function gcd(a: number, b: number): number {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

export function reduceRational(value: Rational): Rational {
  const divisor = gcd(value.num, value.den) || 1;
  return { num: value.num / divisor, den: value.den / divisor };
}

/** Frame rates that cameras, broadcasters and editors use. */
const wellKnownRates: readonly Rational[] = [
  ...[10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 72, 90, 96, 100, 120, 144, 240].map((num) => ({ num, den: 1 })),
  ...[12, 15, 24, 30, 48, 60, 120, 240].map((fps) => ({ num: fps * 1000, den: 1001 })),
  { num: 25, den: 2 },
];

/** A measured rate this close to a well-known one is meant to be it; 24 and 23.976 are 0.1 % apart. */
const RATE_TOLERANCE = 0.0005;
const LARGEST_DENOMINATOR = 1001;

/**
 * The frame rate that a measured one (frames per second) stands for: the nearest well-known rate within 0.05 %, else
 * the nearest fraction with a denominator of at most 1001. Errors: `internal` when it is not positive.
 */
export function roundToRational(rate: number): Rational {
  if (!(rate > 0) || !Number.isFinite(rate)) throw new PipelineError("internal", `${rate} is not a frame rate.`);
  const off = (candidate: Rational): number => Math.abs(candidate.num / candidate.den / rate - 1);
  const nearest = wellKnownRates.reduce((best, candidate) => (off(candidate) < off(best) ? candidate : best));
  return off(nearest) <= RATE_TOLERANCE ? nearest : nearestFraction(rate, LARGEST_DENOMINATOR);
}

/** Convergents of the continued fraction, and the best semiconvergent where the denominator would become too large. */
function nearestFraction(value: number, largestDenominator: number): Rational {
  let [previous, current] = [
    { num: 1, den: 0 },
    { num: Math.floor(value), den: 1 },
  ];
  let rest = value - Math.floor(value);
  while (rest > 1e-9) {
    const term = Math.floor(1 / rest);
    const room = Math.floor((largestDenominator - previous.den) / current.den);
    const next = (times: number): Rational => ({
      num: previous.num + times * current.num,
      den: previous.den + times * current.den,
    });
    if (term > room) {
      const last = next(room);
      const closer = Math.abs(last.num / last.den - value) < Math.abs(current.num / current.den - value);
      if (closer && room > 0) current = last;
      break;
    }
    [previous, current] = [current, next(term)];
    rest = 1 / rest - term;
  }
  return current.num > 0 ? current : { num: 1, den: largestDenominator };
}

function divide(numerator: bigint, denominator: bigint, rounding: Rounding): number {
  const quotient = numerator / denominator;
  const rest = numerator % denominator;
  if (rest === 0n) return exact(quotient);
  const away = numerator < 0n ? -1n : 1n;
  const magnitude = rest < 0n ? -rest : rest;
  const awayFromZero = rounding === "round" ? 2n * magnitude >= denominator : (rounding === "ceil") === (away === 1n);
  return exact(awayFromZero ? quotient + away : quotient);
}

function whole(value: number | bigint): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new PipelineError("internal", `${value} is not a whole number of ticks.`);
  }
  return BigInt(value);
}

function exact(value: bigint): number {
  const result = Number(value);
  if (!Number.isSafeInteger(result))
    throw new PipelineError("internal", `${value} ticks are more than fit in a number.`);
  return result;
}
