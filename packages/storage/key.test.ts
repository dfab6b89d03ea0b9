import * as fc from "fast-check";
import { expect, test } from "vitest";
import { checkKey, checkPrefix, checkPrefixToDelete } from "./key.ts";

const isKey = (key: string): boolean => {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
};

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => !/[/\\\0]/.test(text) && text !== "." && text !== "..");

test("a key of allowed names is allowed, and so are its prefixes at slashes", () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
      fc.pre(names[0] !== ".incoming");
      const key = names.join("/");
      checkKey(key);
      checkPrefix(`${key}/`);
      checkPrefixToDelete(key);
    }),
  );
});

test("a key that is allowed stays where it is when a file system resolves it", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", ".", "/", "\\", "\0"), maxLength: 12 }), (key) => {
      fc.pre(isKey(key));
      expect(new URL(key, "http://host/root/").pathname).toBe(`/root/${key}`);
    }),
    { numRuns: 200 },
  );
});

test("the message shows the key and the reason", () => {
  expect(() => checkKey("titles/../../etc")).toThrow('"titles/../../etc" is not an object key: it has "." or ".."');
});

test("a key of 1024 bytes is allowed and one of 1025 is not, counted in UTF-8", () => {
  const key = `${"ü".repeat(127)}/`.repeat(4);
  expect(isKey(`${key}abcd`)).toBe(true);
  expect(isKey(`${key}abcde`)).toBe(false);
  expect(Buffer.byteLength(`${key}abcd`)).toBe(1024);
});
