import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimalSeconds, microseconds } from "./seconds.ts";

describe("seconds as text", () => {
  test.each([
    [96_096, 24_000, "4.004"],
    [480_000, 48_000, "10"],
    [1001, 30_000, "0.033367"],
    [3, 10, "0.3"],
    [0, 1, "0"],
  ])("%i ticks of 1/%i s are %s s", (ticks, timescale, text) => {
    expect(decimalSeconds(microseconds(ticks, timescale, "nearest"))).toBe(text);
  });

  test("rounding up never shortens, rounding down never lengthens, and both stay within a microsecond", () => {
    const ticks = fc.integer({ min: 0, max: 2 ** 52 });
    fc.assert(
      fc.property(ticks, fc.integer({ min: 1, max: 10_000_000 }), (ticks, timescale) => {
        const exact = BigInt(ticks) * 1_000_000n;
        const scale = BigInt(timescale);
        const up = microseconds(ticks, timescale, "up") * scale - exact;
        const down = exact - microseconds(ticks, timescale, "down") * scale;
        expect(up >= 0n && up < scale && down >= 0n && down < scale).toBe(true);
      }),
    );
  });

  test("the text says exactly the microseconds it was given", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), (micros) => {
        const [whole = "", fraction = ""] = decimalSeconds(micros).split(".");
        expect(BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"))).toBe(micros);
      }),
    );
  });
});
