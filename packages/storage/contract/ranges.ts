import { buffer } from "node:stream/consumers";
import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, read, type Suite } from "./suite.ts";

export function describeRanges(suite: Suite): void {
  describe("get with a range", () => {
    const content = "0123456789";
    let key: string;
    beforeAll(async () => {
      key = `${suite.freshPrefix()}/range`;
      await suite.store.put(key, bytesOf(content));
    });

    test.each([
      [0, 10, "0123456789"],
      [0, 1, "0"],
      [3, 7, "3456"],
      [9, 10, "9"],
    ])("[%i, %i) gives these bytes and describes the whole object", async (start, end, expected) => {
      const { info, body } = await suite.store.get(key, { range: { start, end } });
      expect((await buffer(body)).toString()).toBe(expected);
      expect(info.bytes).toBe(10);
    });

    test("an end behind the object is its end", async () => {
      expect(await read(suite.store, key, { start: 7, end: 4000 })).toBe("789");
      expect(await read(suite.store, key, { start: 7, end: Number.POSITIVE_INFINITY })).toBe("789");
    });

    test.each([
      [10, 11],
      [500, 600],
      [5, 5],
      [5, 4],
      [-1, 4],
      [0.5, 4],
      [0, Number.NaN],
    ])("[%d, %d) holds no byte of the object and is refused", async (start, end) => {
      await expect(suite.store.get(key, { range: { start, end } })).rejects.toMatchObject({ code: "usage.invalid" });
    });

    test("no range holds a byte of an empty object", async () => {
      const empty = `${suite.freshPrefix()}/empty`;
      await suite.store.put(empty, new Uint8Array());
      await expect(suite.store.get(empty, { range: { start: 0, end: 1 } })).rejects.toMatchObject({
        code: "usage.invalid",
      });
    });
  });
}
