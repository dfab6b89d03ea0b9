import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { storeBody } from "./store-body.ts";

describe("The body of a store's answer", () => {
  test("is its bytes, however slowly they are read", async () => {
    const bytes = Buffer.alloc(1024 * 1024, "film ");
    const cut = Array.from({ length: 64 }, (_, i) => bytes.subarray(i * 16_384, (i + 1) * 16_384));
    const body = storeBody(Readable.from(cut), { key: "a", stallMs: 20 });
    const read: Buffer[] = [];
    for await (const part of body) {
      read.push(part as Buffer);
      // A viewer whose buffer is full, for longer than a store may be silent.
      if (read.length === 3) await sleep(60);
    }
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  test("without bytes ends", async () => {
    expect((await buffer(storeBody(Readable.from([]), { key: "a" }))).byteLength).toBe(0);
  });

  test("fails when the store falls silent while somebody waits", async () => {
    const source = new PassThrough();
    source.write("a beginning");
    const reading = buffer(storeBody(source, { key: "titles/a", stallMs: 20 }));
    await expect(reading).rejects.toMatchObject({ code: "store.unavailable" });
    expect(source.destroyed).toBe(true);
  });

  test("fails when the connection breaks, with or without an error", async () => {
    for (const error of [new Error("reset"), undefined]) {
      const source = new PassThrough();
      source.write("a beginning");
      const reading = buffer(storeBody(source, { key: "titles/a" }));
      setImmediate(() => source.destroy(error));
      await expect(reading).rejects.toThrow(/Could not read titles\/a to its end/);
    }
  });

  test("ends with its signal, and the connection with it", async () => {
    const source = new PassThrough();
    const controller = new AbortController();
    const body = storeBody(source, { key: "a", signal: controller.signal });
    controller.abort(new Error("the viewer went away"));
    await expect(buffer(body)).rejects.toMatchObject({ cause: { message: "the viewer went away" } });
    expect(source.destroyed).toBe(true);
  });

  test("that nobody reads is given up by destroying it", async () => {
    const source = new PassThrough();
    storeBody(source, { key: "a" }).destroy();
    await new Promise(setImmediate);
    expect(source.destroyed).toBe(true);
  });
});
