import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { avcHighCodec } from "./codec-string.ts";
import { h264Level } from "./h264-level.ts";

const slow = { maxrate: 64_000, bufsize: 64_000 };

describe("H.264 levels", () => {
  test.each([
    [416, 234, 30, 1, 400_000, 13],
    [640, 360, 30, 1, 1_000_000, 30],
    [854, 480, 25, 1, 2_500_000, 30],
    [1280, 720, 30, 1, 5_000_000, 31],
    [1280, 720, 60, 1, 5_000_000, 32],
    [1920, 1080, 24_000, 1001, 8_000_000, 40],
    [1920, 1080, 30, 1, 25_000_000, 40],
    [1920, 1080, 30, 1, 25_000_001, 41],
    [1920, 1080, 60, 1, 12_000_000, 42],
    [2560, 1440, 30, 1, 16_000_000, 50],
    [3840, 2160, 30, 1, 30_000_000, 51],
    [3840, 2160, 60, 1, 45_000_000, 52],
    [7680, 4320, 30, 1, 100_000_000, 60],
  ])("%dx%d at %d/%d fps with %d bit/s needs level %d", (width, height, num, den, maxrate, level) => {
    expect(h264Level({ width, height, frameRate: { num, den }, maxrate, bufsize: maxrate })).toBe(level);
  });

  test("a tall or wide picture needs a level whose sides reach that far", () => {
    expect(h264Level({ width: 1920, height: 16, frameRate: { num: 1, den: 1 }, ...slow })).toBe(31);
  });

  test("more than 172 frames per second need level 6", () => {
    expect(h264Level({ width: 128, height: 96, frameRate: { num: 172, den: 1 }, ...slow })).toBeLessThan(60);
    expect(h264Level({ width: 128, height: 96, frameRate: { num: 240, den: 1 }, ...slow })).toBe(60);
  });

  test("asking for more never gives a lower level", () => {
    const needs = fc.record({
      width: fc.integer({ min: 16, max: 4096 }),
      height: fc.integer({ min: 16, max: 2160 }),
      frameRate: fc.record({ num: fc.integer({ min: 1, max: 60 }), den: fc.constant(1) }),
      maxrate: fc.integer({ min: 1, max: 100_000_000 }),
      bufsize: fc.integer({ min: 1, max: 100_000_000 }),
    });
    fc.assert(
      fc.property(needs, fc.constantFrom("width", "height", "maxrate", "bufsize"), (small, key) => {
        expect(h264Level({ ...small, [key]: small[key] * 2 })).toBeGreaterThanOrEqual(h264Level(small));
      }),
    );
  });

  test("what no level allows is refused", () => {
    expect(() => h264Level({ width: 16_384, height: 8_640, frameRate: { num: 30, den: 1 }, ...slow })).toThrow(
      /smaller rung/,
    );
  });

  test("codec strings name the High profile and the level", () => {
    expect([12, 30, 31, 40, 51].map(avcHighCodec)).toEqual([
      "avc1.64000c",
      "avc1.64001e",
      "avc1.64001f",
      "avc1.640028",
      "avc1.640033",
    ]);
  });
});
