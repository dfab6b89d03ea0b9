import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { framesToTicks, gcd, reduceRational, rescale, roundToRational, videoTimescale } from "./media-time.ts";

const timescale = fc.integer({ min: 1, max: 10_000_000 });
const ticks = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });

describe("rescale", () => {
  test("is the nearest whole number below, above or beside the exact one", () => {
    fc.assert(
      fc.property(ticks, timescale, timescale, (value, from, to) => {
        const exact = BigInt(value) * BigInt(to);
        fc.pre(Math.abs((value / from) * to) < 2 ** 52);
        const floor = BigInt(rescale(value, from, to, "floor")) * BigInt(from);
        const ceil = BigInt(rescale(value, from, to, "ceil")) * BigInt(from);
        const round = BigInt(rescale(value, from, to, "round")) * BigInt(from);
        expect(floor <= exact && exact < floor + BigInt(from)).toBe(true);
        expect(ceil >= exact && exact > ceil - BigInt(from)).toBe(true);
        const error = round > exact ? round - exact : exact - round;
        expect(2n * error <= BigInt(from)).toBe(true);
      }),
    );
  });

  test("takes halves away from zero and accepts big integers", () => {
    expect([1, 3, -1, -3].map((value) => rescale(value, 2, 1, "round"))).toEqual([1, 2, -1, -2]);
    expect(rescale(2n ** 70n, 2 ** 40, 1, "floor")).toBe(2 ** 30);
  });

  test("refuses what is not exact", () => {
    expect(() => rescale(0.5, 1, 1, "floor")).toThrow(/whole number/);
    expect(() => rescale(2 ** 52, 1, 1000, "floor")).toThrow(/more than fit/);
    expect(() => rescale(1, 0, 1, "floor")).toThrow(/rescale/);
  });
});

describe("frame grids", () => {
  test("every frame of every grid begins on a tick of the grid's timescale", () => {
    const rate = fc.record({ num: fc.integer({ min: 1, max: 240_000 }), den: fc.integer({ min: 1, max: 1001 }) });
    fc.assert(
      fc.property(rate, fc.nat(10_000_000), (frameRate, frame) => {
        const scale = videoTimescale(frameRate);
        expect(scale).toBeGreaterThanOrEqual(1000);
        expect(framesToTicks(frame, frameRate, scale) * frameRate.num).toBe(frame * frameRate.den * scale);
      }),
    );
  });

  test("timescales are the rate's numerator, finer where that is coarse", () => {
    expect(videoTimescale({ num: 24_000, den: 1001 })).toBe(24_000);
    expect(videoTimescale({ num: 25, den: 1 })).toBe(25_000);
    expect(videoTimescale({ num: 50_000, den: 2000 })).toBe(25_000);
    expect(framesToTicks(96, { num: 24_000, den: 1001 }, 24_000)).toBe(96_096);
  });

  test("a clock that cannot say a frame's time is refused", () => {
    expect(() => framesToTicks(1, { num: 24_000, den: 1001 }, 90_000)).toThrow(/no whole number/);
  });
});

describe("fractions", () => {
  test("are reduced by their greatest common divisor", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e6 }), (num, den) => {
        const reduced = reduceRational({ num, den });
        expect(reduced.num * den).toBe(num * reduced.den);
        expect(gcd(reduced.num, reduced.den)).toBe(1);
      }),
    );
  });

  test.each([
    [23.976, 24_000, 1001],
    [23.98, 24_000, 1001],
    [24, 24, 1],
    [23.9999, 24, 1],
    [29.97003, 30_000, 1001],
    [59.94, 60_000, 1001],
    [49.99, 50, 1],
    [12.5, 25, 2],
    [18, 18, 1],
    [13.333333, 40, 3],
    [7.5, 15, 2],
  ])("%d frames per second are %d/%d", (measured, num, den) => {
    expect(roundToRational(measured)).toEqual({ num, den });
  });

  test("any rate gets a fraction close to it with a small denominator", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1000, noNaN: true }), (rate) => {
        const { num, den } = roundToRational(rate);
        expect(den).toBeLessThanOrEqual(1001);
        expect(Number.isInteger(num) && num > 0).toBe(true);
        expect(Math.abs(num / den - rate)).toBeLessThanOrEqual(Math.max(0.0005 * rate, 1 / 1001));
      }),
    );
  });
});
