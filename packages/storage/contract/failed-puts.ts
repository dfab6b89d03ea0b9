import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { bytesOf, keysUnder, mebibytes, read, type Suite } from "./suite.ts";

export function describeFailedPuts(suite: Suite): void {
  describe("a put that does not end well", () => {
    async function expectNothing(prefix: string): Promise<void> {
      expect(await keysUnder(suite.store, prefix)).toEqual([]);
      expect(await suite.store.stat(`${prefix}/a`)).toBeUndefined();
    }

    test("because its body fails rejects with the body's error and leaves nothing", async () => {
      const prefix = suite.freshPrefix();
      const failure = new Error("the encoder died");
      async function* failing(): AsyncGenerator<Uint8Array> {
        // Enough that a store that takes large bodies in parts has begun.
        yield* mebibytes(20);
        throw failure;
      }
      await expect(suite.store.put(`${prefix}/a`, failing())).rejects.toBe(failure);
      await expect(suite.store.putIfAbsent(`${prefix}/a`, failing())).rejects.toBe(failure);
      await expectNothing(prefix);
    });

    test("because it is aborted between parts rejects with the reason, ends the body and leaves nothing", async () => {
      const prefix = suite.freshPrefix();
      const controller = new AbortController();
      const reason = new Error("the title was removed");
      const ended = Promise.withResolvers<void>();
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (let i = 0; ; i++) {
            if (i === 20) controller.abort(reason);
            await sleep(0);
            yield Buffer.alloc(1024 * 1024);
          }
        } finally {
          ended.resolve();
        }
      }
      await expect(suite.store.put(`${prefix}/a`, endless(), { signal: controller.signal })).rejects.toBe(reason);
      await ended.promise;
      await expectNothing(prefix);
    });

    test("because it is aborted while its body gives nothing rejects at once", async () => {
      const prefix = suite.freshPrefix();
      const controller = new AbortController();
      const reason = new Error("nobody waits any more");
      async function* stuck(): AsyncGenerator<Uint8Array> {
        yield bytesOf("a beginning");
        controller.abort(reason);
        await new Promise(() => {});
      }
      await expect(suite.store.put(`${prefix}/a`, stuck(), { signal: controller.signal })).rejects.toBe(reason);
      await expectNothing(prefix);
    });

    test("because it is aborted before it begins leaves nothing", async () => {
      const prefix = suite.freshPrefix();
      const reason = new Error("too late");
      const signal = AbortSignal.abort(reason);
      await expect(suite.store.put(`${prefix}/a`, bytesOf("x"), { signal })).rejects.toBe(reason);
      await expect(suite.store.putIfAbsent(`${prefix}/a`, bytesOf("x"), { signal })).rejects.toBe(reason);
      await expectNothing(prefix);
    });

    test("leaves the object that was there", async () => {
      const key = `${suite.freshPrefix()}/a`;
      const before = await suite.store.put(key, bytesOf("the object that was there"));
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield* mebibytes(1);
        throw new Error("the encoder died");
      }
      await expect(suite.store.put(key, failing())).rejects.toThrow("the encoder died");
      expect((await suite.store.stat(key))?.etag).toBe(before.etag);
      expect(await read(suite.store, key)).toBe("the object that was there");
    });

    test("is not to be seen while it lasts", async () => {
      const prefix = suite.freshPrefix();
      const seen: string[] = [];
      async function* watching(): AsyncGenerator<Uint8Array> {
        for await (const part of mebibytes(6)) {
          yield part;
          seen.push(...(await keysUnder(suite.store, `${prefix}/`)));
        }
      }
      await suite.store.put(`${prefix}/a`, watching());
      expect(seen).toEqual([]);
      expect(await keysUnder(suite.store, `${prefix}/`)).toEqual([`${prefix}/a`]);
    });
  });

  test("a get that is aborted before or while it is read ends", async () => {
    const key = `${suite.freshPrefix()}/long`;
    await suite.store.put(key, mebibytes(4));
    const reason = new Error("the viewer went away");
    await expect(suite.store.get(key, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const { body } = await suite.store.get(key, { signal: controller.signal });
    const reading = (async () => {
      for await (const _part of body) controller.abort(reason);
    })();
    await expect(reading).rejects.toThrow();
    expect(body.destroyed).toBe(true);
  });
}
