import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BodyPart, bodyParts, partBytes } from "./body-parts.ts";

const MEBIBYTE = 1024 * 1024;

async function partsOf(body: AsyncIterable<Uint8Array> | Uint8Array, signal?: AbortSignal): Promise<BodyPart[]> {
  const parts: BodyPart[] = [];
  for await (const part of bodyParts(body, signal)) parts.push(part);
  return parts;
}

async function* pieces(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index);
}

describe("A body in parts", () => {
  test("is the body, in parts of one size but for the last, however it came in pieces", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 4 * MEBIBYTE }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sizes, async (given) => {
        const parts = await partsOf(pieces(given));
        const whole = Buffer.concat(given.map((size, index) => Buffer.alloc(size, index)));
        expect(Buffer.concat(parts.map((part) => part.bytes)).equals(whole)).toBe(true);
        expect(parts.map((part) => part.number)).toEqual(parts.map((_, index) => index + 1));
        expect(parts.map((part) => part.last)).toEqual(parts.map((_, index) => index === parts.length - 1));
        for (const part of parts.slice(0, -1)) expect(part.bytes.byteLength).toBe(5 * MEBIBYTE);
      }),
      { numRuns: 20 },
    );
  });

  test("of exactly the size of a part is one part", async () => {
    expect(await partsOf(pieces([3 * MEBIBYTE, 2 * MEBIBYTE]))).toMatchObject([{ number: 1, last: true }]);
  });

  test("without bytes is one empty part", async () => {
    expect(await partsOf(pieces([]))).toMatchObject([{ number: 1, bytes: Buffer.alloc(0), last: true }]);
  });

  test("in memory is one part, without a copy, until it is large", async () => {
    const body = new Uint8Array(10 * MEBIBYTE);
    const [part] = await partsOf(body);
    expect(part?.bytes).toBe(body);
    expect(await partsOf(new Uint8Array(64 * MEBIBYTE + 1))).toHaveLength(13);
  });

  test("of 300 GiB fits into the 10,000 parts that S3 takes, the largest of 80 MiB", () => {
    let bytes = 0;
    for (let number = 1; number <= 10_000; number++) bytes += partBytes(number);
    expect(bytes).toBeGreaterThan(300 * 1024 * MEBIBYTE);
    expect(partBytes(10_000)).toBe(80 * MEBIBYTE);
  });

  test("is not asked for more than one part before that is taken", async () => {
    let asked = 0;
    async function* counting(): AsyncGenerator<Uint8Array> {
      for (;;) {
        asked += 1;
        yield new Uint8Array(MEBIBYTE);
      }
    }
    const parts = bodyParts(counting(), undefined);
    await parts.next();
    expect(asked).toBe(6);
    await parts.return();
  });

  test("is ended with the signal's reason while it gives nothing", async () => {
    const controller = new AbortController();
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1);
      controller.abort(new Error("nobody waits any more"));
      await new Promise(() => {});
    }
    await expect(partsOf(stuck(), controller.signal)).rejects.toThrow("nobody waits any more");
  });
});
