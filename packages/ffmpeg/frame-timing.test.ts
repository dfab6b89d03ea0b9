import type { Rational } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { classifyTiming } from "./frame-timing.ts";

const grid = (rate: Rational, ticksPerSecond: number, frames: number, phase = 0): Float64Array =>
  Float64Array.from({ length: frames }, (_, index) =>
    Math.round(phase + (index * rate.den * ticksPerSecond) / rate.num),
  );
const classify = (times: Float64Array, ticksPerSecond: number, declared: readonly (Rational | null)[] = []) =>
  classifyTiming({ times, lastDuration: 0, tick: { num: 1, den: ticksPerSecond } }, declared);

const rates: readonly (readonly [number, number])[] = [
  ...([
    [24000, 1001],
    [24, 1],
    [25, 1],
    [30000, 1001],
    [30, 1],
    [50, 1],
    [60000, 1001],
    [60, 1],
  ] as const),
  ...([
    [15, 1],
    [25, 2],
    [10, 1],
    [120, 1],
  ] as const),
];

describe("classifyTiming", () => {
  test.for(rates)("finds %i/%i in every clock, wherever the grid begins", ([num, den]) => {
    for (const clock of [1000, 90_000, 600 * num, num * 1000])
      for (const phase of [0, 0.3, 0.5, 7.77]) {
        const found = classify(grid({ num, den }, clock, 5000, phase), clock);
        expect(found, `${clock} ${phase}`).toMatchObject({ timing: "constant", frameRate: { num, den } });
      }
  });

  test("one frame off the grid makes the rate variable", () => {
    const times = grid({ num: 25, den: 1 }, 90_000, 1000);
    times[500] = (times[500] ?? 0) + 900;
    expect(classify(times, 90_000)).toMatchObject({ timing: "variable", frameRate: { num: 25, den: 1 } });
  });

  test("a missing frame makes the rate variable, with the grid of the others", () => {
    const times = grid({ num: 30, den: 1 }, 90_000, 1000).filter((_, index) => index !== 300);
    expect(classify(times, 90_000)).toMatchObject({ timing: "variable", frameRate: { num: 30, den: 1 } });
  });

  test("a short source in a coarse clock has the rate that the container declares", () => {
    const times = grid({ num: 24000, den: 1001 }, 1000, 10);
    expect(classify(times, 1000, [{ num: 24000, den: 1001 }]).frameRate).toEqual({ num: 24000, den: 1001 });
  });

  test("an odd but constant rate is kept", () => {
    expect(classify(grid({ num: 18, den: 1 }, 90_000, 500), 90_000)).toMatchObject({
      timing: "constant",
      frameRate: { num: 18, den: 1 },
    });
  });

  test("a grid is at most 60 and, below that, never under the average", () => {
    const fast = Float64Array.from({ length: 1000 }, (_, index) => index * 5 + (index % 2));
    expect(classify(fast, 1000)).toMatchObject({ timing: "variable", frameRate: { num: 60, den: 1 } });
    const bursts = Float64Array.from({ length: 1000 }, (_, index) => Math.floor(index / 3) * 100 + (index % 3) * 45);
    const { frameRate } = classify(bursts, 1000);
    expect(frameRate.num / frameRate.den).toBeGreaterThanOrEqual(30 * 0.9999);
  });

  test("a single frame lasts as long as it says, or one frame of the declared rate", () => {
    const tick = { num: 1, den: 1000 };
    const one = Float64Array.of(0);
    expect(classifyTiming({ times: one, lastDuration: 5000, tick }, []).lastSeconds).toBe(5);
    expect(classifyTiming({ times: one, lastDuration: 0, tick }, [{ num: 50, den: 1 }]).lastSeconds).toBe(0.02);
  });
});
