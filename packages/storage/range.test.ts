import * as fc from "fast-check";
import { expect, test } from "vitest";
import { clampRange } from "./range.ts";

test("a range that begins in the object is the part of it that the object has", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1 }), fc.integer({ min: 1 }), (start, length, bytes) => {
      fc.pre(start < bytes);
      expect(clampRange({ start, end: start + length }, "key", bytes)).toEqual({
        start,
        end: Math.min(start + length, bytes),
      });
    }),
  );
});

test("a range that begins behind the object is refused by naming its size", () => {
  expect(() => clampRange({ start: 10, end: 20 }, "titles/a", 10)).toThrow("titles/a has only 10 bytes");
});
