import { describe, expect, test } from "vitest";
import { parseRange } from "./http-range.ts";

describe("parseRange", () => {
  test.each([
    ["bytes=0-99", { start: 0, end: 100 }],
    ["bytes=900-", { start: 900, end: 1000 }],
    ["bytes=-10", { start: 990, end: 1000 }],
    ["bytes=-5000", { start: 0, end: 1000 }],
    ["bytes=990-5000", { start: 990, end: 1000 }],
    ["bytes=1000-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-2", undefined],
    ["bytes=0-1,5-6", undefined],
    ["items=0-1", undefined],
    ["bytes=-", undefined],
    [undefined, undefined],
  ])("%s of 1000 bytes", (header, expected) => {
    expect(parseRange(header, 1000)).toEqual(expected);
  });
});
