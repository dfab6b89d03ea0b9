import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { bytesOf, keysUnder, mebibytes, objectsUnder, read, type Suite } from "./suite.ts";

export function describePutAndGet(suite: Suite): void {
  describe("put and get", () => {
    test("give back the bytes that were put, and say the same of them everywhere", async () => {
      const key = `${suite.freshPrefix()}/a.m4s`;
      const before = Date.now();
      const put = await suite.store.put(key, bytesOf("a segment"), { contentType: "video/mp4" });
      expect(put).toMatchObject({ key, bytes: 9 });
      expect(put.etag).toMatch(/^[^"]+$/);
      // Stores with clocks of whole seconds, and clocks of other machines.
      expect(Math.abs(put.modified.getTime() - before)).toBeLessThan(60_000);
      const { info, body } = await suite.store.get(key);
      expect((await buffer(body)).toString()).toBe("a segment");
      const listed = await objectsUnder(suite.store, key);
      for (const other of [info, await suite.store.stat(key), listed[0]]) {
        expect(other).toMatchObject({ key, bytes: 9, etag: put.etag });
      }
    });

    test("take a stream of unknown length and keep its bytes in order", async () => {
      const key = `${suite.freshPrefix()}/stream`;
      const sum = createHash("sha256");
      for await (const part of mebibytes(20)) sum.update(part);
      const put = await suite.store.put(key, mebibytes(20));
      expect(put.bytes).toBe(20 * 1024 * 1024);
      const stored = createHash("sha256");
      for await (const part of (await suite.store.get(key)).body) stored.update(part as Uint8Array);
      expect(stored.digest("hex")).toBe(sum.digest("hex"));
    });

    test("take a Node stream", async () => {
      const key = `${suite.freshPrefix()}/readable`;
      await suite.store.put(key, Readable.from([bytesOf("one "), bytesOf("two")]));
      expect(await read(suite.store, key)).toBe("one two");
    });

    test("keep an object without bytes", async () => {
      const key = `${suite.freshPrefix()}/empty`;
      expect((await suite.store.put(key, new Uint8Array())).bytes).toBe(0);
      expect((await suite.store.stat(key))?.bytes).toBe(0);
      expect(await read(suite.store, key)).toBe("");
    });

    test("take keys as odd as the rules allow", async () => {
      const prefix = suite.freshPrefix();
      const odd = [
        "ü 映画 🎬",
        "a+b=c&d",
        "%2e%2e",
        " a space on each side ",
        "what?#",
        "...",
        ".hidden",
        "n".repeat(255),
        "x".repeat(200),
      ];
      for (const name of odd) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      for (const name of odd) expect(await read(suite.store, `${prefix}/${name}`)).toBe(name);
      expect((await keysUnder(suite.store, `${prefix}/`)).toSorted()).toEqual(
        odd.map((n) => `${prefix}/${n}`).toSorted(),
      );
    });

    test("replace an object as a whole, and its etag with it", async () => {
      const key = `${suite.freshPrefix()}/replaced`;
      const first = await suite.store.put(key, bytesOf("the first and longer content"));
      const second = await suite.store.put(key, bytesOf("the second"));
      expect(second.etag).not.toBe(first.etag);
      expect(await read(suite.store, key)).toBe("the second");
      expect((await suite.store.stat(key))?.etag).toBe(second.etag);
    });

    test("leave a reader that has begun the object it began with", async () => {
      const key = `${suite.freshPrefix()}/read-while-replaced`;
      await suite.store.put(key, Buffer.alloc(2 * 1024 * 1024, "old "));
      const { body } = await suite.store.get(key);
      const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      const parts = [(await chunks.next()).value];
      await suite.store.put(key, Buffer.alloc(2 * 1024 * 1024, "new "));
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) parts.push(next.value);
      expect(Buffer.concat(parts).equals(Buffer.alloc(2 * 1024 * 1024, "old "))).toBe(true);
    });
  });
}
