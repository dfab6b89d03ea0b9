import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ObjectInfo, ObjectStore } from "./port.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function read(store: ObjectStore, key: string, range?: { start: number; end: number }): Promise<string> {
  const { body } = await store.get(key, range === undefined ? {} : { range });
  return (await buffer(body)).toString();
}

async function objectsUnder(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of store.list(prefix)) objects.push(object);
  return objects;
}

async function keysUnder(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await objectsUnder(store, prefix)).map((object) => object.key);
}

/** A mebibyte at a time of bytes that differ from place to place. */
async function* mebibytes(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1024 * 1024, `part ${i} `);
}

/**
 * Every promise of {@link ObjectStore} as tests, for any adapter. `open` gives a store that works and takes down
 * what it needed; each test keeps to a prefix of its own, so the store may hold other objects and is left without ours.
 */
export function describeObjectStore(name: string, open: () => Promise<{ store: ObjectStore } & AsyncDisposable>): void {
  describe(`${name} as an object store`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let store: ObjectStore;
    const suite = `contract-${randomUUID()}`;
    let tests = 0;
    const freshPrefix = (): string => `${suite}/${++tests}`;

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(async () => {
      await store.deletePrefix(`${suite}/`);
      await opened[Symbol.asyncDispose]();
    });

    describe("put and get", () => {
      test("give back the bytes that were put, and say the same of them everywhere", async () => {
        const key = `${freshPrefix()}/a.m4s`;
        const before = Date.now();
        const put = await store.put(key, bytesOf("a segment"), { contentType: "video/mp4" });
        expect(put).toMatchObject({ key, bytes: 9 });
        expect(put.etag).toMatch(/^[^"]+$/);
        // Stores with clocks of whole seconds, and clocks of other machines.
        expect(Math.abs(put.modified.getTime() - before)).toBeLessThan(60_000);
        const { info, body } = await store.get(key);
        expect((await buffer(body)).toString()).toBe("a segment");
        const listed = await objectsUnder(store, key);
        for (const other of [info, await store.stat(key), listed[0]]) {
          expect(other).toMatchObject({ key, bytes: 9, etag: put.etag });
        }
      });

      test("take a stream of unknown length and keep its bytes in order", async () => {
        const key = `${freshPrefix()}/stream`;
        const sum = createHash("sha256");
        for await (const part of mebibytes(12)) sum.update(part);
        const put = await store.put(key, mebibytes(12));
        expect(put.bytes).toBe(12 * 1024 * 1024);
        const stored = createHash("sha256");
        for await (const part of (await store.get(key)).body) stored.update(part as Uint8Array);
        expect(stored.digest("hex")).toBe(sum.digest("hex"));
      });

      test("take a Node stream", async () => {
        const key = `${freshPrefix()}/readable`;
        await store.put(key, Readable.from([bytesOf("one "), bytesOf("two")]));
        expect(await read(store, key)).toBe("one two");
      });

      test("keep an object without bytes", async () => {
        const key = `${freshPrefix()}/empty`;
        expect((await store.put(key, new Uint8Array())).bytes).toBe(0);
        expect((await store.stat(key))?.bytes).toBe(0);
        expect(await read(store, key)).toBe("");
      });

      test("take keys as odd as the rules allow", async () => {
        const prefix = freshPrefix();
        const odd = ["ü 映画 🎬", "a+b=c&d", "%2e%2e", "what?#", "...", ".hidden", "n".repeat(255), "x".repeat(200)];
        for (const name of odd) await store.put(`${prefix}/${name}`, bytesOf(name));
        for (const name of odd) expect(await read(store, `${prefix}/${name}`)).toBe(name);
        expect((await keysUnder(store, `${prefix}/`)).toSorted()).toEqual(odd.map((n) => `${prefix}/${n}`).toSorted());
      });

      test("replace an object as a whole, and its etag with it", async () => {
        const key = `${freshPrefix()}/replaced`;
        const first = await store.put(key, bytesOf("the first and longer content"));
        const second = await store.put(key, bytesOf("the second"));
        expect(second.etag).not.toBe(first.etag);
        expect(await read(store, key)).toBe("the second");
        expect((await store.stat(key))?.etag).toBe(second.etag);
      });

      test("leave a reader that has begun the object it began with", async () => {
        const key = `${freshPrefix()}/read-while-replaced`;
        await store.put(key, Buffer.alloc(2 * 1024 * 1024, "old "));
        const { body } = await store.get(key);
        const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
        const parts = [(await chunks.next()).value];
        await store.put(key, Buffer.alloc(2 * 1024 * 1024, "new "));
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) parts.push(next.value);
        expect(Buffer.concat(parts).equals(Buffer.alloc(2 * 1024 * 1024, "old "))).toBe(true);
      });
    });

    describe("get with a range", () => {
      const content = "0123456789";
      let key: string;
      beforeAll(async () => {
        key = `${freshPrefix()}/range`;
        await store.put(key, bytesOf(content));
      });

      test.each([
        [0, 10, "0123456789"],
        [0, 1, "0"],
        [3, 7, "3456"],
        [9, 10, "9"],
      ])("[%i, %i) gives these bytes and describes the whole object", async (start, end, expected) => {
        const { info, body } = await store.get(key, { range: { start, end } });
        expect((await buffer(body)).toString()).toBe(expected);
        expect(info.bytes).toBe(10);
      });

      test("an end behind the object is its end", async () => {
        expect(await read(store, key, { start: 7, end: 4000 })).toBe("789");
        expect(await read(store, key, { start: 7, end: Number.POSITIVE_INFINITY })).toBe("789");
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
        await expect(store.get(key, { range: { start, end } })).rejects.toMatchObject({ code: "usage.invalid" });
      });

      test("no range holds a byte of an empty object", async () => {
        const empty = `${freshPrefix()}/empty`;
        await store.put(empty, new Uint8Array());
        await expect(store.get(empty, { range: { start: 0, end: 1 } })).rejects.toMatchObject({
          code: "usage.invalid",
        });
      });
    });

    describe("what is not there", () => {
      test("cannot be got, has no stat, and can be deleted", async () => {
        const key = `${freshPrefix()}/nothing`;
        await expect(store.get(key)).rejects.toMatchObject({ code: "store.not-found" });
        await expect(store.get(key, { range: { start: 0, end: 1 } })).rejects.toMatchObject({
          code: "store.not-found",
        });
        expect(await store.stat(key)).toBeUndefined();
        await expect(store.delete(key)).resolves.toBeUndefined();
        expect(await store.deletePrefix(`${key}/`)).toBe(0);
        expect(await keysUnder(store, key)).toEqual([]);
      });

      test("is also what stands above or under an object's name", async () => {
        const key = `${freshPrefix()}/folder/object`;
        await store.put(key, bytesOf("x"));
        for (const other of [key.slice(0, -"/object".length), `${key}/under`]) {
          await expect(store.get(other)).rejects.toMatchObject({ code: "store.not-found" });
          expect(await store.stat(other)).toBeUndefined();
          await store.delete(other);
        }
        expect(await read(store, key)).toBe("x");
      });
    });

    describe("a put that does not end well", () => {
      async function expectNothing(prefix: string): Promise<void> {
        expect(await keysUnder(store, prefix)).toEqual([]);
        expect(await store.stat(`${prefix}/a`)).toBeUndefined();
      }

      test("because its body fails rejects with the body's error and leaves nothing", async () => {
        const prefix = freshPrefix();
        const failure = new Error("the encoder died");
        async function* failing(): AsyncGenerator<Uint8Array> {
          yield* mebibytes(6);
          throw failure;
        }
        await expect(store.put(`${prefix}/a`, failing())).rejects.toBe(failure);
        await expect(store.putIfAbsent(`${prefix}/a`, failing())).rejects.toBe(failure);
        await expectNothing(prefix);
      });

      test("because it is aborted between parts rejects with the reason, ends the body and leaves nothing", async () => {
        const prefix = freshPrefix();
        const controller = new AbortController();
        const reason = new Error("the title was removed");
        const ended = Promise.withResolvers<void>();
        async function* endless(): AsyncGenerator<Uint8Array> {
          try {
            for (let i = 0; ; i++) {
              if (i === 7) controller.abort(reason);
              await sleep(0);
              yield Buffer.alloc(1024 * 1024);
            }
          } finally {
            ended.resolve();
          }
        }
        await expect(store.put(`${prefix}/a`, endless(), { signal: controller.signal })).rejects.toBe(reason);
        await ended.promise;
        await expectNothing(prefix);
      });

      test("because it is aborted while its body gives nothing rejects at once", async () => {
        const prefix = freshPrefix();
        const controller = new AbortController();
        const reason = new Error("nobody waits any more");
        async function* stuck(): AsyncGenerator<Uint8Array> {
          yield bytesOf("a beginning");
          controller.abort(reason);
          await new Promise(() => {});
        }
        await expect(store.put(`${prefix}/a`, stuck(), { signal: controller.signal })).rejects.toBe(reason);
        await expectNothing(prefix);
      });

      test("because it is aborted before it begins leaves nothing", async () => {
        const prefix = freshPrefix();
        const reason = new Error("too late");
        const signal = AbortSignal.abort(reason);
        await expect(store.put(`${prefix}/a`, bytesOf("x"), { signal })).rejects.toBe(reason);
        await expect(store.putIfAbsent(`${prefix}/a`, bytesOf("x"), { signal })).rejects.toBe(reason);
        await expectNothing(prefix);
      });

      test("leaves the object that was there", async () => {
        const key = `${freshPrefix()}/a`;
        const before = await store.put(key, bytesOf("the object that was there"));
        async function* failing(): AsyncGenerator<Uint8Array> {
          yield* mebibytes(1);
          throw new Error("the encoder died");
        }
        await expect(store.put(key, failing())).rejects.toThrow("the encoder died");
        expect((await store.stat(key))?.etag).toBe(before.etag);
        expect(await read(store, key)).toBe("the object that was there");
      });

      test("is not to be seen while it lasts", async () => {
        const prefix = freshPrefix();
        const seen: string[] = [];
        async function* watching(): AsyncGenerator<Uint8Array> {
          for await (const part of mebibytes(6)) {
            yield part;
            seen.push(...(await keysUnder(store, `${prefix}/`)));
          }
        }
        await store.put(`${prefix}/a`, watching());
        expect(seen).toEqual([]);
        expect(await keysUnder(store, `${prefix}/`)).toEqual([`${prefix}/a`]);
      });
    });

    test("a get that is aborted before or while it is read ends", async () => {
      const key = `${freshPrefix()}/long`;
      await store.put(key, mebibytes(4));
      const reason = new Error("the viewer went away");
      await expect(store.get(key, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const controller = new AbortController();
      const { body } = await store.get(key, { signal: controller.signal });
      const reading = (async () => {
        for await (const _part of body) controller.abort(reason);
      })();
      await expect(reading).rejects.toThrow();
      expect(body.destroyed).toBe(true);
    });

    describe("putIfAbsent", () => {
      test("stores what is not there and keeps what is", async () => {
        const key = `${freshPrefix()}/once`;
        const first = await store.putIfAbsent(key, bytesOf("first"));
        expect(first).toMatchObject({ stored: true, object: { key, bytes: 5 } });
        const second = await store.putIfAbsent(key, bytesOf("the second"));
        expect(second).toMatchObject({ stored: false, object: { key, bytes: 5, etag: first.object.etag } });
        expect(await read(store, key)).toBe("first");
      });

      test("stores again what was deleted", async () => {
        const key = `${freshPrefix()}/again`;
        await store.putIfAbsent(key, bytesOf("first"));
        await store.delete(key);
        expect(await store.putIfAbsent(key, bytesOf("second"))).toMatchObject({ stored: true, object: { bytes: 6 } });
      });

      test("has exactly one winner of twenty at once, and all of them see its object", async () => {
        const key = `${freshPrefix()}/race`;
        const results = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => await store.putIfAbsent(key, bytesOf(`writer ${i}`))),
        );
        const winners = results.flatMap((result, i) => (result.stored ? [i] : []));
        expect(winners).toHaveLength(1);
        expect(new Set(results.map((result) => result.object.etag)).size).toBe(1);
        expect(await read(store, key)).toBe(`writer ${winners[0]}`);
      });
    });

    describe("list", () => {
      test("gives keys in the order of their bytes, across what look like folders", async () => {
        const prefix = freshPrefix();
        // By UTF-16 code units the last two would stand the other way round.
        const names = ["a!", "a-b", "a/1", "a/10", "a/2", "a/b/c", "a0", "ab", "b", "ü", "\uffee", "🎬"];
        for (const name of names.toReversed()) await store.put(`${prefix}/${name}`, bytesOf(name));
        expect(await keysUnder(store, `${prefix}/`)).toEqual(names.map((name) => `${prefix}/${name}`));
      });

      test("takes the prefix as plain text", async () => {
        const prefix = freshPrefix();
        for (const name of ["a/b/1", "a/bc", "a/c", "x"]) await store.put(`${prefix}/${name}`, bytesOf(name));
        expect(await keysUnder(store, `${prefix}/a/b`)).toEqual([`${prefix}/a/b/1`, `${prefix}/a/bc`]);
        expect(await keysUnder(store, `${prefix}/a/b/`)).toEqual([`${prefix}/a/b/1`]);
        expect(await keysUnder(store, `${prefix}/x`)).toEqual([`${prefix}/x`]);
        expect(await keysUnder(store, `${prefix}/x/`)).toEqual([]);
        expect(await keysUnder(store, "")).toEqual(expect.arrayContaining([`${prefix}/a/b/1`, `${prefix}/x`]));
      });

      test("goes on when objects are deleted meanwhile", async () => {
        const prefix = freshPrefix();
        for (const name of ["1", "2", "3"]) await store.put(`${prefix}/${name}`, bytesOf(name));
        const seen: ObjectInfo[] = [];
        for await (const object of store.list(`${prefix}/`)) {
          seen.push(object);
          await store.delete(object.key);
        }
        expect(seen.map((object) => object.key)).toEqual(["1", "2", "3"].map((name) => `${prefix}/${name}`));
        expect(await keysUnder(store, `${prefix}/`)).toEqual([]);
      });
    });

    describe("delete", () => {
      test("removes the one object and nothing beside it", async () => {
        const prefix = freshPrefix();
        for (const name of ["a", "ab", "b/c"]) await store.put(`${prefix}/${name}`, bytesOf(name));
        await store.delete(`${prefix}/a`);
        await store.delete(`${prefix}/a`);
        expect(await keysUnder(store, `${prefix}/`)).toEqual([`${prefix}/ab`, `${prefix}/b/c`]);
      });

      test("of a prefix removes all that begins with it and counts", async () => {
        const prefix = freshPrefix();
        for (const name of ["t/1", "t/2", "t/v/3", "tt"]) await store.put(`${prefix}/${name}`, bytesOf(name));
        expect(await store.deletePrefix(`${prefix}/t/`)).toBe(3);
        expect(await keysUnder(store, `${prefix}/`)).toEqual([`${prefix}/tt`]);
        expect(await store.deletePrefix(`${prefix}/t/`)).toBe(0);
      });

      test("of everything is refused", async () => {
        await expect(store.deletePrefix("")).rejects.toMatchObject({ code: "usage.invalid" });
      });

      test("at the same time as puts loses none of them", async () => {
        const prefix = freshPrefix();
        const work = Array.from({ length: 12 }, async (_, i) => {
          for (let round = 0; round < 8; round++) {
            await store.put(`${prefix}/folder/${i}`, bytesOf(`${round}`));
            expect(await read(store, `${prefix}/folder/${i}`)).toBe(`${round}`);
            await store.delete(`${prefix}/folder/${i}`);
          }
          await store.put(`${prefix}/folder/${i}`, bytesOf("last"));
        });
        await Promise.all(work);
        expect(await keysUnder(store, `${prefix}/`)).toHaveLength(12);
      });
    });

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
      ["is longer than 1024 bytes", `${"ü/".repeat(341)}ab`],
      ["has a name longer than 255 bytes", "n".repeat(256)],
      ["is not well-formed", "a\ud800"],
      ["is the store's own", ".incoming/a"],
    ])("a key that %s is refused by every call", async (_why, key) => {
      const refused = { code: "usage.invalid" };
      await expect(store.put(key, bytesOf("x"))).rejects.toMatchObject(refused);
      await expect(store.putIfAbsent(key, bytesOf("x"))).rejects.toMatchObject(refused);
      await expect(store.get(key)).rejects.toMatchObject(refused);
      await expect(store.stat(key)).rejects.toMatchObject(refused);
      await expect(store.delete(key)).rejects.toMatchObject(refused);
      if (key === "" || key === "a/") return;
      await expect(keysUnder(store, key)).rejects.toMatchObject(refused);
      await expect(store.deletePrefix(key)).rejects.toMatchObject(refused);
    });
  });
}
