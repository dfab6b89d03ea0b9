import { describe, expect, test } from "vitest";
import { bytesOf, keysUnder, read, type Suite } from "./suite.ts";

export function describeAbsentObjects(suite: Suite): void {
  describe("what is not there", () => {
    test("cannot be got, has no stat, and can be deleted", async () => {
      const key = `${suite.freshPrefix()}/nothing`;
      await expect(suite.store.get(key)).rejects.toMatchObject({ code: "store.not-found" });
      await expect(suite.store.get(key, { range: { start: 0, end: 1 } })).rejects.toMatchObject({
        code: "store.not-found",
      });
      expect(await suite.store.stat(key)).toBeUndefined();
      await expect(suite.store.delete(key)).resolves.toBeUndefined();
      expect(await suite.store.deletePrefix(`${key}/`)).toBe(0);
      expect(await keysUnder(suite.store, key)).toEqual([]);
    });

    test("is also what stands above or under an object's name", async () => {
      const key = `${suite.freshPrefix()}/folder/object`;
      await suite.store.put(key, bytesOf("x"));
      for (const other of [key.slice(0, -"/object".length), `${key}/under`]) {
        await expect(suite.store.get(other)).rejects.toMatchObject({ code: "store.not-found" });
        expect(await suite.store.stat(other)).toBeUndefined();
        await suite.store.delete(other);
      }
      expect(await read(suite.store, key)).toBe("x");
    });
  });
}
