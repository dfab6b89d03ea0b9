import { expect, test } from "vitest";
import { bytesOf, keysUnder, type Suite } from "./suite.ts";

export function describeKeys(suite: Suite): void {
  test.each([
    ["is empty", ""],
    ["begins with a slash", "/a"],
    ["ends with a slash", "a/"],
    ["has an empty name", "a//b"],
    ["climbs", "a/../b"],
    ["begins by climbing", "../a"],
    ["stays", "a/./b"],
    ["has a backslash", "a\\b"],
    ["has a NUL", "a\0b"],
    ["has a control character", "a\u0001b"],
    ["is longer than 1024 bytes", `${"ü/".repeat(341)}ab`],
    ["has a name longer than 255 bytes", "n".repeat(256)],
    ["is not well-formed", "a\ud800"],
    ["is the store's own", ".incoming/a"],
  ])("a key that %s is refused by every call", async (_why, key) => {
    const refused = { code: "usage.invalid" };
    await expect(suite.store.put(key, bytesOf("x"))).rejects.toMatchObject(refused);
    await expect(suite.store.putIfAbsent(key, bytesOf("x"))).rejects.toMatchObject(refused);
    await expect(suite.store.get(key)).rejects.toMatchObject(refused);
    await expect(suite.store.stat(key)).rejects.toMatchObject(refused);
    await expect(suite.store.delete(key)).rejects.toMatchObject(refused);
    if (key === "" || key === "a/") return;
    await expect(keysUnder(suite.store, key)).rejects.toMatchObject(refused);
    await expect(suite.store.deletePrefix(key)).rejects.toMatchObject(refused);
  });
}
