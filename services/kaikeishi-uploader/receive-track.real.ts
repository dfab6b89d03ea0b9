import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type ChunkRef, INIT_NUMBER, PipelineError, segmentKey, segmentSpans } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import { chunkReceipts, dropLostReceipts, findReceipt, moveTitle } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKaikeishi } from "./kaikeishi.ts";
import {
  chunkJob,
  encodedParts,
  never,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  sent,
  storeWith,
  type TestParts,
  titleInEncoding,
  trackId,
} from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
/** The segments of v1 (2 … 12) by the planned encoder, and by one that decides otherwise but writes the same init. */
let ours: ReadonlyMap<string, readonly CmafPart[]>;
let others: ReadonlyMap<string, readonly CmafPart[]>;
let sound: readonly CmafPart[];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  const title = await titleInEncoding(parts, film);
  const job = await chunkJob(parts, film, title, "v1");
  ours = await encodedParts(job);
  if (job.kind !== "video") throw new Error("v1 is video");
  const tracks = job.tracks.map((track) => ({ ...track, encoder: { ...track.encoder, crf: 35 } }));
  others = await encodedParts({ ...job, tracks });
  sound = (await encodedParts(await chunkJob(parts, film, title, "a1-0"))).get("a1") ?? [];
});
afterAll(() => parts[Symbol.asyncDispose]());

const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const v144 = (encoder = ours): readonly CmafPart[] => encoder.get("v144") ?? [];

interface Claimed {
  readonly ref: ChunkRef;
  readonly put: (track: string, body: AsyncIterable<Uint8Array>) => Promise<{ stored: number; matched: number }>;
}

/** A claim on a chunk, of a new title unless one is named. */
async function claimed(
  chunk = "v1",
  title?: ChunkRef["title"],
  ingest = parts.kaikeishi,
  signal = never(),
): Promise<Claimed> {
  const job = await chunkJob(parts, film, title ?? (await titleInEncoding(parts, film)), chunk);
  const claim = await ingest.claim(job.ref, job.grant, never());
  if (claim.state !== "open") throw new Error("the chunk is complete");
  return {
    ref: job.ref,
    put: (track, body) => ingest.put({ ...job.ref, track: trackId(track) }, claim.token, body, signal),
  };
}

async function stored(ref: ChunkRef, track: string, number: number): Promise<string | undefined> {
  const key = segmentKey(ref.title, ref.plan, trackId(track), number);
  if (!(await parts.store.stat(key))) return undefined;
  return sum(await buffer((await parts.store.get(key)).body));
}

describe("a track that is sent", () => {
  test("lies in the store under its keys, with receipts of its times and checksums, when it is acknowledged", async () => {
    for (const [chunk, track, encoded] of [
      ["v1", "v144", v144()],
      ["a1-0", "a1", sound],
    ] as const) {
      const { ref, put } = await claimed(chunk);
      expect(await put(track, sent(encoded))).toEqual({ stored: encoded.length - 1, matched: 0 });
      const planned = film.plan.tracks.find(({ id }) => id === track);
      const first = chunk === "v1" ? 2 : 1;
      const spans = planned ? [...segmentSpans(planned, first)] : [];
      const expected = [{ number: INIT_NUMBER, start: 0, duration: 0 }, ...spans].map(
        ({ number, start, duration }, index) => ({
          number,
          start,
          duration,
          key: `titles/${ref.title}/${ref.plan}/${track}/${number === 0 ? "init.mp4" : `${number}.m4s`}`,
          bytes: encoded[index]?.bytes.length,
          sha256: sum(encoded[index]?.bytes ?? Buffer.alloc(0)),
        }),
      );
      expect(await chunkReceipts(parts.records, ref)).toMatchObject(expected);
      for (const { number, sha256 } of expected) expect(await stored(ref, track, number)).toBe(sha256);
    }
  });

  test("is not stored again when it comes a second time, and a track that is complete needs no more", async () => {
    const first = await claimed();
    await first.put("v144", sent(v144()));
    const second = await claimed("v1", first.ref.title);
    expect(await second.put("v144", sent(v144()))).toEqual({ stored: 0, matched: 11 });
    await second.put("v120", sent(ours.get("v120") ?? []));
    const job = await chunkJob(parts, film, first.ref.title, "v1");
    expect(await parts.kaikeishi.claim(job.ref, job.grant, never())).toEqual({ state: "complete" });
  });

  test("takes over objects that a killed process left without receipts, and replaces those with other bytes", async () => {
    const { ref, put } = await claimed();
    const key = (number: number) => segmentKey(ref.title, ref.plan, trackId("v144"), number);
    await parts.store.put(key(0), Buffer.from("a torn init segment"));
    await parts.store.put(key(2), v144()[1]?.bytes ?? Buffer.alloc(0));
    await parts.store.put(key(3), v144(others)[2]?.bytes ?? Buffer.alloc(0));
    const untouched = await parts.store.stat(key(2));
    expect(await put("v144", sent(v144()))).toEqual({ stored: 11, matched: 0 });
    expect(await parts.store.stat(key(2))).toEqual(untouched);
    expect(await stored(ref, "v144", 0)).toBe(sum(v144()[0]?.bytes ?? Buffer.alloc(0)));
    expect(await stored(ref, "v144", 3)).toBe(sum(v144()[2]?.bytes ?? Buffer.alloc(0)));
  });
});

describe("when two encoders disagree", () => {
  test("the chunk's receipts are dropped, and the next claim writes all of it anew", async () => {
    const first = await claimed();
    await first.put("v144", sent(v144()));
    await first.put("v120", sent(ours.get("v120") ?? []));
    // Receipts of one segment are lost, as if the first encoder had died there.
    await parts.records.db
      .deleteFrom("receipts")
      .where("title", "=", first.ref.title)
      .where("number", "=", 12)
      .execute();

    const second = await claimed("v1", first.ref.title);
    await expect(second.put("v144", sent(v144(others)))).rejects.toMatchObject({ code: "ingest.mismatch" });
    expect((await chunkReceipts(parts.records, first.ref)).map(({ number }) => number)).toEqual([0, 0]);

    const third = await claimed("v1", first.ref.title);
    expect(await third.put("v144", sent(v144(others)))).toEqual({ stored: 11, matched: 0 });
    for (let number = 2; number <= 12; number++)
      expect(await stored(first.ref, "v144", number)).toBe(sum(v144(others)[number - 1]?.bytes ?? Buffer.alloc(0)));
  });

  test("a track whose receipts go away meanwhile is not acknowledged", async () => {
    const first = await claimed();
    await first.put("v144", sent(v144()));
    await first.put("v120", sent(ours.get("v120") ?? []));
    await parts.records.db
      .deleteFrom("receipts")
      .where("title", "=", first.ref.title)
      .where("number", "=", 12)
      .execute();

    const second = await claimed("v1", first.ref.title);
    const dropped = Promise.withResolvers<void>();
    const v120 = ours.get("v120") ?? [];
    const waiting = second.put(
      "v120",
      (async function* () {
        yield* sent(v120.slice(0, -1));
        await dropped.promise;
        yield* sent(v120.slice(-1));
      })(),
    );
    const refused = expect(waiting).rejects.toMatchObject({ code: "ingest.mismatch" });
    await expect(second.put("v144", sent(v144(others)))).rejects.toMatchObject({ code: "ingest.mismatch" });
    dropped.resolve();
    await refused;
  });

  test("about an init segment, the one that has a receipt stays and the other is refused", async () => {
    const { ref, put } = await claimed("v1");
    await put("v144", sent(v144()));
    const init = await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), INIT_NUMBER);
    const rest = await claimed("v0-rest", ref.title);
    await expect(rest.put("v144", sent([changedInit()]))).rejects.toMatchObject({ code: "ingest.mismatch" });
    expect(await stored(ref, "v144", INIT_NUMBER)).toBe(init?.sha256);
    expect(await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), INIT_NUMBER)).toEqual(init);
  });
});

/** The init segment with a free box at the end of the movie: other bytes, and nothing else is different. */
function changedInit(): CmafPart {
  const original = v144()[0]?.bytes ?? Buffer.alloc(0);
  const free = Buffer.from([0, 0, 0, 8, ...Buffer.from("free")]);
  const bytes = Buffer.concat([original, free]);
  const moov = original.indexOf("moov") - 4;
  bytes.writeUInt32BE(original.readUInt32BE(moov) + free.length, moov);
  return { kind: "init", bytes };
}

describe("what the store has lost", () => {
  const complete = async (): Promise<ChunkRef> => {
    const { ref, put } = await claimed();
    for (const [track, encoded] of ours) await put(track, sent(encoded));
    return ref;
  };

  test("is made anew by the next claim, and nothing else is", async () => {
    const ref = await complete();
    const before = await chunkReceipts(parts.records, ref);
    const key = (track: string, number: number) => segmentKey(ref.title, ref.plan, trackId(track), number);
    await parts.store.delete(key("v144", 7));
    await parts.store.put(key("v120", 3), Buffer.from("a piece"));
    await parts.store.delete(key("v120", INIT_NUMBER));
    const untouched = await parts.store.stat(key("v144", 8));

    const again = await claimed("v1", ref.title);
    expect(await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), 7)).toBeUndefined();
    expect(await again.put("v144", sent(v144()))).toEqual({ stored: 1, matched: 10 });
    expect(await again.put("v120", sent(ours.get("v120") ?? []))).toEqual({ stored: 1, matched: 10 });
    for (const { track, number, sha256 } of before) expect(await stored(ref, track, number)).toBe(sha256);
    expect(await parts.store.stat(key("v144", 8))).toEqual(untouched);
    await expect(claimed("v1", ref.title)).rejects.toThrow("the chunk is complete");
  });

  test("an init segment alone: it comes back with its bytes", async () => {
    const ref = await complete();
    const init = await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), INIT_NUMBER);
    await parts.store.delete(init?.key ?? "");
    const again = await claimed("v1", ref.title);
    expect(await again.put("v144", sent(v144()))).toEqual({ stored: 0, matched: 11 });
    expect(await stored(ref, "v144", INIT_NUMBER)).toBe(init?.sha256);
    await expect(claimed("v1", ref.title)).rejects.toThrow("the chunk is complete");
  });

  test("keeps its receipt towards a claimant that was fenced off", async () => {
    const ref = await complete();
    const early = await claimed("v0-rest", ref.title);
    const receipts = await chunkReceipts(parts.records, ref);
    expect(await dropLostReceipts(parts.records, ref, 99, receipts)).toBe(false);
    expect(await dropLostReceipts(parts.records, early.ref, 1, receipts)).toBe(true);
    expect(await chunkReceipts(parts.records, ref)).toEqual(receipts);
  });
});

test("two chunks that bring a track's first init segment at the same time and disagree: object and receipt are of one", async () => {
  const { store } = parts;
  const slow = storeWith(store, {
    put: async (...args) => {
      await delay(400);
      return store.put(...args);
    },
    // The first one is slow to go on, the second one slow to replace it: without an order each would win one half.
    putIfAbsent: async (...args) => {
      const result = await store.putIfAbsent(...args);
      if (result.stored) await delay(200);
      return result;
    },
  });
  const ingest = createKaikeishi({ ...parts, store: slow });
  const one = await claimed("v1", undefined, ingest);
  const other = await claimed("v0-rest", one.ref.title, ingest);
  const ended = await Promise.allSettled([
    one.put("v144", sent(v144().slice(0, 1))),
    other.put("v144", sent([changedInit()])),
  ]);
  // Neither is whole; the one that lost is told that it disagrees.
  const reasons = ended.map((end) => String(end.status === "rejected" ? end.reason : ""));
  expect(reasons.filter((reason) => reason.includes("already stored with other bytes"))).toHaveLength(1);
  expect(reasons.filter((reason) => reason.includes("ended after 0"))).toHaveLength(1);
  const receipt = await findReceipt(parts.records, one.ref.title, one.ref.plan, trackId("v144"), INIT_NUMBER);
  expect(await stored(one.ref, "v144", INIT_NUMBER)).toBe(receipt?.sha256);
});

describe("a sender", () => {
  test("is read no faster than the store writes: about one segment ahead", async () => {
    const gate: { open: () => void }[] = [];
    let written = 0;
    const { store } = parts;
    const slow = storeWith(store, {
      async putIfAbsent(...args) {
        await new Promise<void>((resolve) => gate.push({ open: resolve }));
        const result = await store.putIfAbsent(...args);
        written += result.object.bytes;
        return result;
      },
    });
    const { put } = await claimed("v1", undefined, createKaikeishi({ ...parts, store: slow }));
    let pulled = 0;
    const state = { ended: false };
    const body = async function* () {
      for await (const piece of sent(v144(), 1000)) {
        pulled += piece.length;
        yield piece;
      }
    };
    const putting = put("v144", body()).finally(() => (state.ended = true));
    const largest = Math.max(...v144().map((part) => part.bytes.length));
    let ahead = 0;
    while (!state.ended) {
      // Far more time than the rest of a body would need to be read, were it not held back.
      await new Promise((resolve) => setTimeout(resolve, 10));
      ahead = Math.max(ahead, pulled - written);
      gate.shift()?.open();
    }
    expect(await putting).toEqual({ stored: 11, matched: 0 });
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThanOrEqual(largest + 1000);
  });

  describe("whose store or database goes away", () => {
    /** Away from the fifth segment on, for `calls` calls. */
    const awayFor = (calls: number, code: "store.unavailable" | "store.full" | "database.unavailable") => {
      let left = calls;
      return storeWith(parts.store, {
        putIfAbsent: async (key, ...more) => {
          if (key.endsWith("/5.m4s") && left-- > 0) throw new PipelineError(code, "it is away");
          return parts.store.putIfAbsent(key, ...more);
        },
      });
    };

    test.each(["store.unavailable", "store.full", "database.unavailable"] as const)(
      "waits until it is back, and has sent nothing in vain (%s)",
      async (code) => {
        const { ref, put } = await claimed("v1", undefined, createKaikeishi({ ...parts, store: awayFor(3, code) }));
        let pulled = 0;
        let atReturn = 0;
        const body = async function* () {
          for await (const piece of sent(v144(), 1000)) {
            pulled += piece.length;
            if (!(await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), 5))) atReturn = pulled;
            yield piece;
          }
        };
        expect(await put("v144", body())).toEqual({ stored: 11, matched: 0 });
        // Segments 2 to 5, the first part being the init segment; the rest was sent when the store was back.
        const upToFive = v144()
          .slice(0, 5)
          .reduce((bytes, part) => bytes + part.bytes.length, 0);
        expect(atReturn).toBeLessThanOrEqual(upToFive + 1000);
      },
    );

    test("is told so when that lasts too long: what was stored stays", async () => {
      const ingest = createKaikeishi({ ...parts, store: awayFor(99, "store.unavailable"), patienceMs: 600 });
      const { ref, put } = await claimed("v1", undefined, ingest);
      await expect(put("v144", sent(v144()))).rejects.toMatchObject({ code: "store.unavailable" });
      expect((await chunkReceipts(parts.records, ref)).map(({ number }) => number)).toEqual([0, 2, 3, 4]);
    });

    test("and who leaves meanwhile is not waited for", async () => {
      const leaving = new AbortController();
      const ingest = createKaikeishi({ ...parts, store: awayFor(99, "store.unavailable") });
      const { put } = await claimed("v1", undefined, ingest, leaving.signal);
      setTimeout(() => leaving.abort(new Error("gone")), 700);
      await expect(put("v144", sent(v144()))).rejects.toThrow("gone");
    });
  });

  test("is told when the title was cancelled or removed, and leaves no object behind", async () => {
    for (const to of ["cancelled", "removing"] as const) {
      const { ref, put } = await claimed();
      const body = async function* () {
        yield* sent(v144().slice(0, 2));
        while (!(await findReceipt(parts.records, ref.title, ref.plan, trackId("v144"), 2)))
          await new Promise((resolve) => setTimeout(resolve, 10));
        await moveTitle(parts.records, ref.title, { from: ["encoding"], to });
        yield* sent(v144().slice(2));
      };
      await expect(put("v144", body())).rejects.toMatchObject({ code: "ingest.title-gone" });
      const keys = (await Array.fromAsync(parts.store.list(`titles/${ref.title}/`))).map(({ key }) => key);
      expect(keys).toEqual((await chunkReceipts(parts.records, ref)).map(({ key }) => key).toSorted());
      expect(keys).toHaveLength(2);
      const job = await chunkJob(parts, film, ref.title, "v1");
      await expect(parts.kaikeishi.claim(job.ref, job.grant, never())).rejects.toMatchObject({
        code: "ingest.title-gone",
      });
    }
  });

  test("that is late for a cancelled title takes nothing away that another stored", async () => {
    const late = await claimed();
    const body = async function* () {
      yield* sent(v144().slice(0, 1));
      // All of it is stored by another meanwhile, then the title is cancelled.
      const quick = await claimed("v1", late.ref.title);
      await quick.put("v144", sent(v144()));
      await moveTitle(parts.records, late.ref.title, { from: ["encoding"], to: "cancelled" });
      yield* sent(v144().slice(1));
    };
    await expect(late.put("v144", body())).rejects.toMatchObject({ code: "ingest.title-gone" });
    for (const receipt of await chunkReceipts(parts.records, late.ref))
      expect(await stored(late.ref, receipt.track, receipt.number)).toBe(receipt.sha256);
  });
});
