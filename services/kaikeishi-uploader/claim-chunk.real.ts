import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import type { EncodeJob, TitleId } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import { createTokens } from "@gakuen/platform";
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
let ours: readonly CmafPart[];
let others: readonly CmafPart[];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
  if (job.kind !== "video") throw new Error("v1 is video");
  ours = (await encodedParts(job)).get("v144") ?? [];
  const tracks = job.tracks.map((track) => ({ ...track, encoder: { ...track.encoder, crf: 35 } }));
  others = (await encodedParts({ ...job, tracks })).get("v144") ?? [];
});
afterAll(() => parts[Symbol.asyncDispose]());

async function takeChunk(job: EncodeJob): Promise<{ attempt: number; put: PutTrack }> {
  const claim = await parts.kaikeishi.claim(job.ref, job.grant, never());
  if (claim.state !== "open") throw new Error("the chunk is complete");
  const target = { ...job.ref, track: trackId("v144") };
  return { attempt: claim.attempt, put: (body) => parts.kaikeishi.put(target, claim.token, body, never()) };
}
type PutTrack = (body: AsyncIterable<Uint8Array>) => Promise<{ stored: number; matched: number }>;

async function expectStoredAsReceipted(job: EncodeJob): Promise<void> {
  for (const receipt of await chunkReceipts(parts.records, job.ref)) {
    const { body } = await parts.store.get(receipt.key);
    expect(
      createHash("sha256")
        .update(await buffer(body))
        .digest("hex"),
      receipt.key,
    ).toBe(receipt.sha256);
  }
}

describe("a later claim", () => {
  test("stops an earlier one at its next segment, and what that had stored stays", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    const early = await takeChunk(job);
    const putting = early.put(
      (async function* () {
        yield* sent(ours.slice(0, 4));
        while ((await chunkReceipts(parts.records, job.ref)).length < 4)
          await new Promise((resolve) => setTimeout(resolve, 10));
        expect((await takeChunk(job)).attempt).toBe(early.attempt + 1);
        yield* sent(ours.slice(4));
      })(),
    );
    await expect(putting).rejects.toMatchObject({ code: "ingest.claim-lost" });
    expect((await chunkReceipts(parts.records, job.ref)).map(({ number }) => number)).toEqual([0, 2, 3, 4]);
    expect(await (await takeChunk(job)).put(sent(ours))).toEqual({ stored: 8, matched: 3 });
  });

  test.each([
    ["the same bytes", () => ours],
    ["other bytes", () => others],
  ])("keeps its segments when the earlier one comes late with %s", async (_, bytes) => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    const early = await takeChunk(job);
    const putting = early.put(
      (async function* () {
        yield* sent(bytes().slice(0, 1));
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(await (await takeChunk(job)).put(sent(ours))).toEqual({ stored: 11, matched: 0 });
        yield* sent(bytes().slice(1));
      })(),
    );
    await expect(putting).rejects.toMatchObject({ code: "ingest.claim-lost" });
    expect(await chunkReceipts(parts.records, job.ref)).toHaveLength(12);
    await expectStoredAsReceipted(job);
  });

  test("lost by a slow encoder is not undone by it: it drops no receipts", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    await (await takeChunk(job)).put(sent(ours));
    await parts.records.db.deleteFrom("receipts").where("title", "=", job.ref.title).where("number", "=", 12).execute();
    const early = await takeChunk(job);
    await takeChunk(job);
    await expect(early.put(sent(others))).rejects.toMatchObject({ code: "ingest.claim-lost" });
    expect(await chunkReceipts(parts.records, job.ref)).toHaveLength(11);
    await expectStoredAsReceipted(job);
  });
});

describe("a grant and a token", () => {
  let title: TitleId;
  let job: EncodeJob;
  beforeAll(async () => {
    title = await titleInEncoding(parts, film);
    job = await chunkJob(parts, film, title, "v1");
  });

  test.each([
    ["garbage", async () => "not-a-token"],
    ["signed with another secret", () => createTokens("another").sign("grant", job.ref, 60)],
    ["expired", () => parts.tokens.sign("grant", job.ref, -1)],
    ["made for another purpose", () => parts.tokens.sign("source", job.ref, 60)],
    ["for another chunk", () => parts.tokens.sign("grant", { ...job.ref, chunk: "v0-low" }, 60)],
    ["for another title", () => parts.tokens.sign("grant", { ...job.ref, title: "another" }, 60)],
  ])("are refused as grant: %s", async (_, grant) => {
    await expect(parts.kaikeishi.claim(job.ref, await grant(), never())).rejects.toMatchObject({
      code: "ingest.unauthorized",
    });
  });

  test.each([
    ["garbage", async () => "not-a-token"],
    ["the job's grant", async () => job.grant],
    ["signed with another secret", () => createTokens("another").sign("ingest", { ...job.ref, attempt: 1 }, 60)],
    ["expired", () => parts.tokens.sign("ingest", { ...job.ref, attempt: 1 }, -1)],
    ["for another chunk", () => parts.tokens.sign("ingest", { ...job.ref, chunk: "v0-low", attempt: 1 }, 60)],
    ["without an attempt", () => parts.tokens.sign("ingest", job.ref, 60)],
  ])("are refused as token, before the body is read: %s", async (_, token) => {
    let pulled = 0;
    const body = (async function* () {
      pulled += 1;
      yield* sent(ours);
    })();
    const target = { ...job.ref, track: trackId("v144") };
    await expect(parts.kaikeishi.put(target, await token(), body, never())).rejects.toMatchObject({
      code: "ingest.unauthorized",
    });
    expect(pulled).toBe(0);
    expect(await Array.fromAsync(parts.store.list(`titles/${title}/`))).toEqual([]);
  });
});
