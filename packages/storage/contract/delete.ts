import { describe, expect, test } from "vitest";
import { bytesOf, keysUnder, read, type Suite } from "./suite.ts";

export function describeDelete(suite: Suite): void {
  describe("delete", () => {
    test("removes the one object and nothing beside it", async () => {
      const prefix = suite.freshPrefix();
      for (const name of ["a", "ab", "b/c"]) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      await suite.store.delete(`${prefix}/a`);
      await suite.store.delete(`${prefix}/a`);
      expect(await keysUnder(suite.store, `${prefix}/`)).toEqual([`${prefix}/ab`, `${prefix}/b/c`]);
    });

    test("of a prefix removes all that begins with it and counts", async () => {
      const prefix = suite.freshPrefix();
      for (const name of ["t/1", "t/2", "t/v/3", "tt"]) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      expect(await suite.store.deletePrefix(`${prefix}/t/`)).toBe(3);
      expect(await keysUnder(suite.store, `${prefix}/`)).toEqual([`${prefix}/tt`]);
      expect(await suite.store.deletePrefix(`${prefix}/t/`)).toBe(0);
    });

    test("of everything is refused", async () => {
      await expect(suite.store.deletePrefix("")).rejects.toMatchObject({ code: "usage.invalid" });
    });

    test("at the same time as puts loses none of them", async () => {
      const prefix = suite.freshPrefix();
      const work = Array.from({ length: 12 }, async (_, i) => {
        for (let round = 0; round < 8; round++) {
          await suite.store.put(`${prefix}/folder/${i}`, bytesOf(`${round}`));
          expect(await read(suite.store, `${prefix}/folder/${i}`)).toBe(`${round}`);
          await suite.store.delete(`${prefix}/folder/${i}`);
        }
        await suite.store.put(`${prefix}/folder/${i}`, bytesOf("last"));
      });
      await Promise.all(work);
      expect(await keysUnder(suite.store, `${prefix}/`)).toHaveLength(12);
    });
  });
}
