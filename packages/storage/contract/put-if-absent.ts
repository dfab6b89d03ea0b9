import { describe, expect, test } from "vitest";
import { bytesOf, read, type Suite } from "./suite.ts";

export function describePutIfAbsent(suite: Suite): void {
  describe("putIfAbsent", () => {
    test("stores what is not there and keeps what is", async () => {
      const key = `${suite.freshPrefix()}/once`;
      const first = await suite.store.putIfAbsent(key, bytesOf("first"));
      expect(first).toMatchObject({ stored: true, object: { key, bytes: 5 } });
      const second = await suite.store.putIfAbsent(key, bytesOf("the second"));
      expect(second).toMatchObject({ stored: false, object: { key, bytes: 5, etag: first.object.etag } });
      expect(await read(suite.store, key)).toBe("first");
    });

    test("stores again what was deleted", async () => {
      const key = `${suite.freshPrefix()}/again`;
      await suite.store.putIfAbsent(key, bytesOf("first"));
      await suite.store.delete(key);
      expect(await suite.store.putIfAbsent(key, bytesOf("second"))).toMatchObject({
        stored: true,
        object: { bytes: 6 },
      });
    });

    test("has exactly one winner of twenty at once, and all of them see its object", async () => {
      const key = `${suite.freshPrefix()}/race`;
      const results = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => await suite.store.putIfAbsent(key, bytesOf(`writer ${i}`))),
      );
      const winners = results.flatMap((result, i) => (result.stored ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(new Set(results.map((result) => result.object.etag)).size).toBe(1);
      expect(await read(suite.store, key)).toBe(`writer ${winners[0]}`);
    });
  });
}
