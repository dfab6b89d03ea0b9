import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutChunks } from "./chunking.ts";

const lengths = { segmentSeconds: 4, minSeconds: 10, maxSeconds: 20 };

describe("cutChunks", () => {
  test("a title of one segment is one chunk", () => {
    expect(cutChunks(1, () => 0, lengths)).toEqual([{ first: 1, segments: 1 }]);
  });
  test("the first chunk is one segment, the others 10 to 20 s", () => {
    const runs = cutChunks(200, () => 0, lengths);
    expect(runs[0]).toEqual({ first: 1, segments: 1 });
    for (const run of runs.slice(1)) if (run.first <= 190) expect([3, 4, 5]).toContain(run.segments);
  });
  test("chunks begin where there is least to decode", () => {
    // Only segments 6, 10, 15 and 19 begin right behind a key frame.
    const cheap = new Set([6, 10, 15, 19]);
    const runs = cutChunks(22, (number) => (cheap.has(number) ? 0 : 3), lengths);
    expect(runs.map((run) => run.first)).toEqual([1, 2, 6, 10, 15, 19, 21, 22]);
  });
  test("towards the end no chunk is more than half of what is left", () => {
    const runs = cutChunks(8, () => 0, lengths);
    expect(runs.map((run) => run.segments)).toEqual([1, 4, 2, 1]);
  });
  test("every segment is in exactly one chunk, and none is longer than the maximum", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer(),
        fc.constantFrom(1, 2, 4, 6, 12),
        (count, seed, segmentSeconds) => {
          const lead = (number: number): number => Math.abs(Math.sin(number * 7919 + seed)) * 5;
          const runs = cutChunks(count, lead, { ...lengths, segmentSeconds });
          let next = 1;
          for (const run of runs) {
            expect(run.first).toBe(next);
            expect(run.segments * segmentSeconds).toBeLessThanOrEqual(Math.max(20, segmentSeconds));
            next += run.segments;
          }
          expect(next).toBe(count + 1);
        },
      ),
    );
  });
});
