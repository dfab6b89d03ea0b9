import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { measureBandwidth } from "./bandwidth.ts";

describe("measured bandwidth", () => {
  test("the peak is the densest segment and both rates are rounded up", () => {
    const segments = [
      { bytes: 500_000, duration: 96_096 },
      { bytes: 1, duration: 1001 },
    ];
    expect(measureBandwidth(segments, 24_000)).toEqual({ peak: 999_001, average: 988_704 });
  });

  test("a title too long for doubles is summed exactly", () => {
    const segments = Array.from({ length: 4000 }, () => ({ bytes: 25_000_001, duration: 360_000 }));
    expect(measureBandwidth(segments, 90_000)).toEqual({ peak: 50_000_002, average: 50_000_002 });
  });

  test("at the peak rate every segment arrives within its duration, and the average is not above the peak", () => {
    const segment = fc.record({ bytes: fc.integer({ min: 0, max: 1e9 }), duration: fc.integer({ min: 1, max: 1e7 }) });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), fc.integer({ min: 1, max: 192_000 }), (segments, timescale) => {
        const { peak, average } = measureBandwidth(segments, timescale);
        expect(average).toBeLessThanOrEqual(peak);
        for (const { bytes, duration } of segments)
          expect(BigInt(bytes) * 8n * BigInt(timescale) <= BigInt(peak) * BigInt(duration)).toBe(true);
      }),
    );
  });

  test("nothing to measure is an error, not a bandwidth of zero", () => {
    expect(() => measureBandwidth([], 48_000)).toThrow("without segments");
    expect(() => measureBandwidth([{ bytes: 1, duration: 0 }], 48_000)).toThrow("no duration");
  });
});
