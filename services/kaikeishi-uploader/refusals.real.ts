import type { ErrorCode, IngestResult } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import { chunkReceipts } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  chunkJob,
  encodedParts,
  never,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  sent,
  type TestParts,
  titleInEncoding,
  trackId,
} from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
let chunk: ReadonlyMap<string, readonly CmafPart[]>;
/** The same frames in a clock of 12 800 instead of 25 000 ticks per second, as an encoder would choose by itself. */
let otherClock: readonly CmafPart[];
let smaller: readonly CmafPart[];
let shorter: readonly CmafPart[];
let sound: readonly CmafPart[];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  const title = await titleInEncoding(parts, film);
  const job = await chunkJob(parts, film, title, "v1");
  if (job.kind !== "video") throw new Error("v1 is video");
  chunk = await encodedParts(job);
  const changed = async (change: object): Promise<readonly CmafPart[]> =>
    (await encodedParts({ ...job, tracks: job.tracks.map((track) => ({ ...track, ...change })) })).get("v144") ?? [];
  otherClock = await changed({ timescale: 12_800, sampleTicks: 512 });
  smaller = await changed({ width: 192, height: 108 });
  const oneFrameLess = { ...job.chunk, endFrame: job.chunk.endFrame - 1 };
  shorter = (await encodedParts({ ...job, chunk: oneFrameLess })).get("v144") ?? [];
  sound = (await encodedParts(await chunkJob(parts, film, title, "a1-0"))).get("a1") ?? [];
});
afterAll(() => parts[Symbol.asyncDispose]());

const whole = (): readonly CmafPart[] => chunk.get("v144") ?? [];
const picked = (...indexes: number[]): CmafPart[] => whole().filter((_, index) => indexes.includes(index));
async function* bytes(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

interface Refusal {
  readonly what: string;
  readonly body: () => AsyncIterable<Uint8Array>;
  readonly code: ErrorCode;
  readonly says: RegExp;
  /** Segments that were right and came before. */
  readonly kept?: readonly number[];
  readonly chunk?: string;
}

const refusals: readonly Refusal[] = [
  {
    what: "without its last segment",
    body: () => sent(whole().slice(0, -1)),
    code: "ingest.mismatch",
    says: /ended after 10 of 11 segments/,
    kept: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  },
  {
    what: "without its last frame",
    body: () => sent(shorter),
    code: "ingest.mismatch",
    says: /segment 12 of v144 .*samples: planned 25, received 24/,
    kept: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  },
  {
    what: "with another timescale",
    body: () => sent(otherClock),
    code: "ingest.mismatch",
    says: /timescale: planned 25000, received 12800/,
  },
  {
    what: "with a picture of another size",
    body: () => sent(smaller),
    code: "ingest.mismatch",
    says: /width: planned 256, received 192; height: planned 144, received 108/,
  },
  {
    what: "of sound where pictures were planned",
    body: () => sent(sound),
    code: "ingest.mismatch",
    says: /media type: planned video, received audio/,
  },
  {
    what: "whose segments are out of order",
    body: () => sent([...picked(0, 1), ...picked(3), ...picked(2)]),
    code: "ingest.mismatch",
    says: /segment 3 of v144 .*decode time: planned 50000, received 75000/,
    kept: [0, 2],
  },
  {
    what: "whose times count from the chunk and not from the title",
    body: () => sent(whole()),
    code: "ingest.mismatch",
    says: /segment 1 of v144 .*decode time: planned 0, received 25000/,
    kept: [0],
    chunk: "v0-rest",
  },
  {
    what: "with more segments than planned",
    body: () => sent([...whole(), ...whole().slice(-1)]),
    code: "ingest.mismatch",
    says: /more than the planned 11 segments/,
    kept: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  },
  {
    what: "that begins with a segment",
    body: () => sent(whole().slice(1)),
    code: "ingest.malformed",
    says: /before the init segment/,
  },
  {
    what: "that ends inside a box",
    body: () => bytes(Buffer.concat(picked(0, 1, 2).map((part) => part.bytes)).subarray(0, -10)),
    code: "ingest.malformed",
    says: /ends inside a box/,
    kept: [0, 2],
  },
  {
    what: "that ends between moof and mdat",
    body: () => bytes(...picked(0).map((part) => part.bytes), moofOf(picked(1)[0]?.bytes ?? Buffer.alloc(0))),
    code: "ingest.malformed",
    says: /mdat is missing/,
    kept: [0],
  },
  { what: "of no bytes at all", body: () => bytes(), code: "ingest.malformed", says: /empty/ },
  {
    what: "of garbage",
    body: () => bytes(Buffer.from("This is not a film. ".repeat(1000))),
    code: "ingest.malformed",
    says: /box/,
  },
  {
    what: "that announces a segment of a gigabyte",
    body: () => bytes(...picked(0).map((part) => part.bytes), Buffer.from("400000006d6f6f66", "hex")),
    code: "ingest.too-large",
    says: /more than the/,
    kept: [0],
  },
];

function moofOf(fragment: Buffer): Buffer {
  const at = fragment.indexOf("moof") - 4;
  return fragment.subarray(at, at + fragment.readUInt32BE(at));
}

async function putAnew(refusal: Pick<Refusal, "body" | "chunk">) {
  const job = await chunkJob(parts, film, await titleInEncoding(parts, film), refusal.chunk ?? "v1");
  const claim = await parts.kaikeishi.claim(job.ref, job.grant, never());
  if (claim.state !== "open") throw new Error("a new chunk is open");
  const target = { ...job.ref, track: trackId("v144") };
  const put = (body: AsyncIterable<Uint8Array>): Promise<IngestResult> =>
    parts.kaikeishi.put(target, claim.token, body, never());
  return { job, put, result: put(refusal.body()) };
}

describe("a track is refused, with the difference by its name, and not acknowledged", () => {
  test.each(refusals)("$what", async (refusal) => {
    const { job, result } = await putAnew(refusal);
    await expect(result).rejects.toMatchObject({
      code: refusal.code,
      message: expect.stringMatching(refusal.says),
    });
    const receipts = await chunkReceipts(parts.records, job.ref);
    expect(receipts.map(({ number }) => number)).toEqual(refusal.kept ?? []);
    const objects = (await Array.fromAsync(parts.store.list(`titles/${job.ref.title}/`))).map(({ key }) => key);
    expect(objects).toEqual(receipts.map(({ key }) => key).toSorted());
    if (receipts.filter(({ number }) => number > 0).length < 11)
      expect(await parts.kaikeishi.claim(job.ref, job.grant, never())).toMatchObject({ state: "open" });
  });

  test("an encoder's own failure in the middle, told as it is", async () => {
    const failure = new Error("the encoder fell over");
    const { job, result } = await putAnew({
      body: async function* () {
        yield* sent(picked(0, 1));
        throw failure;
      },
    });
    await expect(result).rejects.toBe(failure);
    expect((await chunkReceipts(parts.records, job.ref)).map(({ number }) => number)).toEqual([0, 2]);
  });

  test("a track that the chunk does not make", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v0-low");
    const claim = await parts.kaikeishi.claim(job.ref, job.grant, never());
    if (claim.state !== "open") throw new Error("a new chunk is open");
    for (const track of ["v144", "a1", "nothing"])
      await expect(
        parts.kaikeishi.put({ ...job.ref, track: trackId(track) }, claim.token, sent(whole()), never()),
      ).rejects.toMatchObject({ code: "ingest.mismatch" });
  });
});

test("after a refusal the same claim takes the right track", async () => {
  const { put, result } = await putAnew({ body: () => sent(whole().slice(0, -1)) });
  await expect(result).rejects.toMatchObject({ code: "ingest.mismatch" });
  expect(await put(sent(whole()))).toEqual({ stored: 1, matched: 10 });
});

test("a track is not acknowledged while one of its objects is gone from the store or has another length", async () => {
  const { job, put, result } = await putAnew({ body: () => sent(whole()) });
  await result;
  const [, receipt] = await chunkReceipts(parts.records, job.ref);
  await parts.store.delete(receipt?.key ?? "");
  await expect(put(sent(whole()))).rejects.toMatchObject({
    code: "store.unavailable",
    message: expect.stringContaining(receipt?.key ?? "?"),
  });
  await parts.store.put(receipt?.key ?? "", Buffer.from("half"));
  await expect(put(sent(whole()))).rejects.toMatchObject({ code: "store.unavailable" });
});
