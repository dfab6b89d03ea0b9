import { describe, expect, test } from "vitest";
import type { ObjectInfo } from "../port.ts";
import { bytesOf, keysUnder, type Suite } from "./suite.ts";

export function describeList(suite: Suite): void {
  describe("list", () => {
    test("gives keys in the order of their bytes, across what look like folders", async () => {
      const prefix = suite.freshPrefix();
      const names = ["a!", "a-b", "a/1", "a/10", "a/2", "a/b/c", "a0", "ab", "b", "ü", "映", "🎬"];
      for (const name of names.toReversed()) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      expect(await keysUnder(suite.store, `${prefix}/`)).toEqual(names.map((name) => `${prefix}/${name}`));
    });

    test("takes the prefix as plain text", async () => {
      const prefix = suite.freshPrefix();
      for (const name of ["a/b/1", "a/bc", "a/c", "x"]) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      expect(await keysUnder(suite.store, `${prefix}/a/b`)).toEqual([`${prefix}/a/b/1`, `${prefix}/a/bc`]);
      expect(await keysUnder(suite.store, `${prefix}/a/b/`)).toEqual([`${prefix}/a/b/1`]);
      expect(await keysUnder(suite.store, `${prefix}/x`)).toEqual([`${prefix}/x`]);
      expect(await keysUnder(suite.store, `${prefix}/x/`)).toEqual([]);
      expect(await keysUnder(suite.store, "")).toEqual(expect.arrayContaining([`${prefix}/a/b/1`, `${prefix}/x`]));
    });

    test("goes on when objects are deleted meanwhile", async () => {
      const prefix = suite.freshPrefix();
      for (const name of ["1", "2", "3"]) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      const seen: ObjectInfo[] = [];
      for await (const object of suite.store.list(`${prefix}/`)) {
        seen.push(object);
        await suite.store.delete(object.key);
      }
      expect(seen.map((object) => object.key)).toEqual(["1", "2", "3"].map((name) => `${prefix}/${name}`));
      expect(await keysUnder(suite.store, `${prefix}/`)).toEqual([]);
    });
  });
}
