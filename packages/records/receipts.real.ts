import { ChunkId, type ChunkRef, PlanSettings, segmentKey, TitleId, TrackId } from "@gakuen/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as records from "./index.ts";
import { sampleInspection, samplePlan, samplePlanId } from "./sample-plan.ts";
import { withTestDatabase } from "./testing.ts";

const log: records.RecordsLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const v360 = TrackId.parse("v360");
const plan = samplePlanId;
let database: Awaited<ReturnType<typeof withTestDatabase>>;
let r: records.Records;

beforeAll(async () => {
  database = await withTestDatabase();
  r = await records.openRecords({ url: database.url, log, maxConnections: 20 });
});
afterAll(async () => {
  await r.close();
  await database[Symbol.asyncDispose]();
});

async function encoding(id: string): Promise<(chunk: string) => ChunkRef> {
  const title = TitleId.parse(id);
  const source = { kind: "file" as const, path: `/films/${id}.mp4` };
  await records.insertTitle(r, { id: title, name: id, source, settings: PlanSettings.parse({}), priority: 8 });
  await records.moveTitle(r, title, { from: ["waiting"], to: "preparing" });
  await records.savePlan(r, title, { inspection: sampleInspection, plan: samplePlan, planId: plan });
  return (chunk) => ({ title, plan, chunk: ChunkId.parse(chunk) });
}

const receipt = (ref: ChunkRef, attempt: number, number: number, sha256 = `sum-${number}`): records.Receipt => ({
  track: v360,
  number,
  chunk: ref.chunk,
  attempt,
  key: segmentKey(ref.title, plan, v360, number),
  bytes: 5_000_000_000 + number,
  sha256,
  start: 96 * Math.max(0, number - 1),
  duration: number === 0 ? 0 : 96,
});

describe("claims", () => {
  test("taken by twenty at once get twenty different attempts in a row", async () => {
    const ref = (await encoding("twenty-claims"))("v0");
    const taken = await Promise.all(Array.from({ length: 20 }, () => records.takeClaim(r, ref)));
    const attempts = taken.map((claim) => (claim.state === "open" ? claim.attempt : 0)).toSorted((a, b) => a - b);
    expect(attempts).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("are refused unless the title is being encoded by this plan", async () => {
    const ref = (await encoding("claims-refused"))("v0");
    expect(await records.takeClaim(r, { ...ref, plan: "f".repeat(20) as typeof plan })).toEqual({
      state: "title-gone",
    });
    await records.moveTitle(r, ref.title, { from: ["encoding"], to: "cancelled" });
    expect(await records.takeClaim(r, ref)).toEqual({ state: "title-gone" });
    expect(await records.takeClaim(r, { ...ref, title: TitleId.parse("nowhere") })).toEqual({ state: "title-gone" });
  });
});

describe("receipts", () => {
  test("come back as they were stored, and are counted", async () => {
    const chunk = await encoding("stored");
    const ref = chunk("v0");
    await records.takeClaim(r, ref);
    const heard: records.RecordEvent[] = [];
    const stop = r.events.subscribe((event) => heard.push(event));
    for (const number of [0, 1, 2]) expect(await records.addReceipt(r, ref, 1, receipt(ref, 1, number))).toBe("stored");
    expect(await records.findReceipt(r, ref.title, plan, v360, 2)).toEqual(receipt(ref, 1, 2));
    expect(await records.findReceipt(r, ref.title, plan, v360, 3)).toBeUndefined();
    expect((await records.chunkReceipts(r, ref)).map(({ number }) => number)).toEqual([0, 1, 2]);
    expect((await records.planReceipts(r, ref.title, plan)).map(({ number }) => number)).toEqual([0, 1, 2]);
    expect(await records.countReceipts(r, ref.title, plan)).toBe(2);
    expect(await records.getTitle(r, ref.title)).toMatchObject({ storedSegments: 2, plannedSegments: 8 });
    const listed = await records.listTitles(r, { search: ref.title, limit: 1 });
    expect(listed.rows[0]).toMatchObject({ storedSegments: 2, plannedSegments: 8 });
    await expect.poll(() => heard.length).toBe(3);
    expect(heard[1]).toEqual({ kind: "segment", title: ref.title, plan, track: v360, number: 1 });
    stop();
  });

  test("of a lower attempt are refused once a higher one has the claim", async () => {
    const ref = (await encoding("fenced"))("v0");
    await records.takeClaim(r, ref);
    expect(await records.addReceipt(r, ref, 1, receipt(ref, 1, 1))).toBe("stored");
    await records.takeClaim(r, ref);
    expect(await records.addReceipt(r, ref, 1, receipt(ref, 1, 2))).toBe("claim-lost");
    expect(await records.findReceipt(r, ref.title, plan, v360, 2)).toBeUndefined();
    expect(await records.addReceipt(r, ref, 2, receipt(ref, 2, 2))).toBe("stored");
  });

  test("written first win: the same bytes again are stored, others conflict", async () => {
    const chunk = await encoding("first-wins");
    const [a, b] = [chunk("v0"), chunk("v1")];
    await records.takeClaim(r, a);
    await records.takeClaim(r, b);
    expect(await records.addReceipt(r, a, 1, receipt(a, 1, 0))).toBe("stored");
    expect(await records.addReceipt(r, b, 1, receipt(b, 1, 0))).toBe("stored");
    expect(await records.addReceipt(r, b, 1, receipt(b, 1, 0, "other"))).toBe("conflict");
    expect(await records.findReceipt(r, a.title, plan, v360, 0)).toMatchObject({ chunk: "v0", sha256: "sum-0" });
  });

  test("of one init segment by many chunks at once: one is stored, all agree", async () => {
    const chunk = await encoding("one-init");
    const refs = Array.from({ length: 12 }, (_, i) => chunk(`v${i}`));
    await Promise.all(refs.map((ref) => records.takeClaim(r, ref)));
    const added = await Promise.all(refs.map((ref) => records.addReceipt(r, ref, 1, receipt(ref, 1, 0))));
    expect(new Set(added)).toEqual(new Set(["stored"]));
    expect(await records.planReceipts(r, refs[0]?.title ?? TitleId.parse("nowhere"), plan)).toHaveLength(1);
  });

  test("never come from an attempt that lost its claim before, however the two race", async () => {
    const ref = (await encoding("race"))("v0");
    await records.takeClaim(r, ref);
    const heard: string[] = [];
    let segment = 0;
    const writer = (async () => {
      for (;;) {
        const result = await records.addReceipt(r, ref, 1, receipt(ref, 1, ++segment));
        heard.push(result);
        if (result !== "stored") return;
      }
    })();
    await expect.poll(() => heard.length).toBeGreaterThan(5);
    expect(await records.takeClaim(r, ref)).toEqual({ state: "open", attempt: 2 });
    const atTakeover = await records.countReceipts(r, ref.title, plan);
    await writer;
    expect(heard.at(-1)).toBe("claim-lost");
    expect(await records.countReceipts(r, ref.title, plan)).toBe(atTakeover);
  });

  test("are refused as soon as the title is cancelled or removed", async () => {
    const ref = (await encoding("gone"))("v0");
    await records.takeClaim(r, ref);
    await records.moveTitle(r, ref.title, { from: ["encoding"], to: "cancelled" });
    expect(await records.addReceipt(r, ref, 1, receipt(ref, 1, 1))).toBe("title-gone");
    await records.deleteTitle(r, ref.title);
    expect(await records.addReceipt(r, ref, 1, receipt(ref, 1, 1))).toBe("title-gone");
    expect(await records.dropChunkReceipts(r, ref, 1)).toBe(false);
  });

  test("of a chunk are dropped only under its claim, and without init segments", async () => {
    const chunk = await encoding("dropped");
    const [a, b] = [chunk("v0"), chunk("v1")];
    await records.takeClaim(r, a);
    await records.takeClaim(r, b);
    for (const number of [0, 1, 2]) await records.addReceipt(r, a, 1, receipt(a, 1, number));
    await records.addReceipt(r, b, 1, receipt(b, 1, 3));
    await records.takeClaim(r, a);
    expect(await records.dropChunkReceipts(r, a, 1)).toBe(false);
    expect(await records.dropChunkReceipts(r, a, 2)).toBe(true);
    expect((await records.planReceipts(r, a.title, plan)).map(({ number }) => number)).toEqual([0, 3]);
  });
});
