import type { Rational } from "@gakuen/contracts";
import { reduceRational, roundToRational } from "@gakuen/media";

export interface FrameTimes {
  /** Presentation times in ticks, sorted. */
  readonly times: Float64Array;
  /** Duration of the last frame in ticks; 0 where it is not known. */
  readonly lastDuration: number;
  /** Length of a tick in seconds. */
  readonly tick: Rational;
}

export interface FrameTiming {
  readonly timing: "constant" | "variable";
  /** constant: the frames' own rate. variable: the rate of the grid that they are brought onto. */
  readonly frameRate: Rational;
  /** Length of the last frame in seconds, measured by its neighbours where the container does not say. */
  readonly lastSeconds: number;
}

const MAX_GRID_RATE = 60;
const thousand = (num: number): Rational => ({ num: num * 1000, den: 1001 });
const whole = (num: number): Rational => ({ num, den: 1 });
const standardRates: readonly Rational[] = [
  [whole(5), whole(6), whole(10), whole(12), { num: 25, den: 2 }, whole(15), thousand(15), thousand(12)],
  [thousand(24), whole(24), whole(25), thousand(30), whole(30), thousand(48), whole(48), whole(50)],
  [thousand(60), whole(60), whole(100), thousand(120), whole(120)],
].flat();

const perSecond = (rate: Rational): number => rate.num / rate.den;

/**
 * Whether frames lie on a grid, decided by all of them. A clock can say a grid's times only to half a tick, so a grid
 * fits when some position of it leaves no frame further away than that.
 * `declared`: what the container says, tried first, because a coarse clock lets a short source fit several rates.
 */
export function classifyTiming(frames: FrameTimes, declared: readonly (Rational | null)[]): FrameTiming {
  const { times, tick } = frames;
  const ticksPerSecond = tick.den / tick.num;
  const intervals = times.length - 1;
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  if (intervals < 1 || span <= 0) return single(frames, declared);
  const measured = (intervals / span) * ticksPerSecond;
  const fits = (rate: Rational): boolean => fitsGrid(times, ticksPerSecond * (rate.den / rate.num));
  const rate = candidates(measured, declared).find(fits);
  if (rate !== undefined) {
    const last = rate.den / rate.num;
    return { timing: "constant", frameRate: reduceRational(rate), lastSeconds: last };
  }
  const median = medianInterval(times);
  const lastTicks = frames.lastDuration > 0 ? frames.lastDuration : median;
  return {
    timing: "variable",
    frameRate: gridRate(ticksPerSecond / median, measured),
    lastSeconds: lastTicks / ticksPerSecond,
  };
}

function single(frames: FrameTimes, declared: readonly (Rational | null)[]): FrameTiming {
  const declaredRate = declared.find((rate) => rate !== null && perSecond(rate) <= MAX_GRID_RATE);
  const frameRate = reduceRational(declaredRate ?? whole(25));
  const known = (frames.lastDuration * frames.tick.num) / frames.tick.den;
  return { timing: "constant", frameRate, lastSeconds: known > 0 ? known : 1 / perSecond(frameRate) };
}

/** Rates that may be meant, the likeliest first: well-known and declared, well-known and near, whatever was measured. */
function candidates(measured: number, declared: readonly (Rational | null)[]): readonly Rational[] {
  const known = declared.filter((rate) => rate !== null);
  const isNear = (a: Rational, b: number): boolean => Math.abs(perSecond(a) / b - 1) < 0.0003;
  const standardAndDeclared = known.flatMap((rate) => standardRates.filter((one) => isNear(one, perSecond(rate))));
  const byCloseness = standardRates.toSorted(
    (a, b) => Math.abs(perSecond(a) - measured) - Math.abs(perSecond(b) - measured),
  );
  return [...standardAndDeclared, ...byCloseness.slice(0, 4), ...known, roundToRational(measured)];
}

/** `period`: ticks between two frames of the grid. */
function fitsGrid(times: Float64Array, period: number): boolean {
  const first = times[0] ?? 0;
  let earliest = 0;
  let latest = 0;
  for (let index = 0; index < times.length; index++) {
    const deviation = (times[index] ?? 0) - first - index * period;
    earliest = Math.min(earliest, deviation);
    latest = Math.max(latest, deviation);
    // Half a tick to either side, and a little for the arithmetic.
    if (latest - earliest > 1.0001) return false;
  }
  return true;
}

function medianInterval(times: Float64Array): number {
  const intervals = new Float64Array(times.length - 1);
  for (let index = 0; index < intervals.length; index++)
    intervals[index] = (times[index + 1] ?? 0) - (times[index] ?? 0);
  intervals.sort();
  // Two frames at one time have no interval to speak of.
  const positive = intervals.subarray(intervals.findIndex((interval) => interval > 0));
  return positive[Math.floor(positive.length / 2)] ?? 1;
}

/** The standard rate nearest to the usual frame duration, but never so low that frames of a busy stretch are lost. */
function gridRate(usual: number, average: number): Rational {
  const allowed = standardRates.filter((rate) => perSecond(rate) <= MAX_GRID_RATE);
  const enough = allowed.filter((rate) => perSecond(rate) >= average * 0.9999);
  const choices = enough.length === 0 ? [whole(MAX_GRID_RATE)] : enough;
  const distance = (rate: Rational): number => Math.abs(Math.log(perSecond(rate) / usual));
  return choices.reduce((best, rate) => (distance(rate) < distance(best) ? rate : best));
}
