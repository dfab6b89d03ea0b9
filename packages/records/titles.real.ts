import { PlanId, PlanSettings, TitleId } from "@gakuen/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as records from "./index.ts";
import { sampleInspection, samplePlan, samplePlanId } from "./sample-plan.ts";
import { withTestDatabase } from "./testing.ts";

const log: records.RecordsLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
let database: Awaited<ReturnType<typeof withTestDatabase>>;
let r: records.Records;

beforeAll(async () => {
  database = await withTestDatabase();
  r = await records.openRecords({ url: database.url, log });
});
afterAll(async () => {
  await r.close();
  await database[Symbol.asyncDispose]();
});

const planned = { inspection: sampleInspection, plan: samplePlan, planId: samplePlanId };

async function addTitle(id: string, name = id): Promise<TitleId> {
  const title = TitleId.parse(id);
  const source = { kind: "file" as const, path: `/films/${id}.mp4` };
  await records.insertTitle(r, { id: title, name, source, settings: PlanSettings.parse({}), priority: 8 });
  return title;
}

async function addPlanned(id: string): Promise<TitleId> {
  const title = await addTitle(id);
  await records.moveTitle(r, title, { from: ["waiting"], to: "preparing" });
  await records.savePlan(r, title, planned);
  return title;
}

describe("titles", () => {
  test("come back as they were taken in", async () => {
    const id = await addTitle("as-taken-in", "A film");
    expect(await records.getTitle(r, id)).toEqual({
      id,
      name: "A film",
      source: { kind: "file", path: "/films/as-taken-in.mp4" },
      settings: PlanSettings.parse({}),
      priority: 8,
      state: "waiting",
      error: null,
      plan: null,
      published: false,
      plannedSegments: null,
      storedSegments: 0,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(await records.getTitle(r, "nowhere")).toBeUndefined();
  });

  test("move only from the states that are named, and carry an error until the next move", async () => {
    const id = await addTitle("moves");
    const error = { code: "source.empty", message: "it is empty" };
    expect(await records.moveTitle(r, id, { from: ["encoding"], to: "failed", error })).toBe(false);
    expect(await records.moveTitle(r, id, { from: ["waiting", "preparing"], to: "failed", error })).toBe(true);
    expect(await records.getTitle(r, id)).toMatchObject({ state: "failed", error });
    expect(await records.moveTitle(r, id, { from: ["failed"], to: "waiting" })).toBe(true);
    expect(await records.getTitle(r, id)).toMatchObject({ state: "waiting", error: null });
  });

  test("move once when many move them at the same time", async () => {
    const id = await addTitle("moves-once");
    const moves = Array.from({ length: 10 }, () => records.moveTitle(r, id, { from: ["waiting"], to: "preparing" }));
    expect((await Promise.all(moves)).filter(Boolean)).toHaveLength(1);
  });

  test("get a plan only while they are being prepared", async () => {
    const id = await addTitle("gets-a-plan");
    expect(await records.savePlan(r, id, planned)).toBe(false);
    expect(await records.getPlan(r, id, samplePlanId)).toBeUndefined();
    await records.moveTitle(r, id, { from: ["waiting"], to: "preparing" });
    expect(await records.savePlan(r, id, planned)).toBe(true);
    expect(await records.savePlan(r, id, planned)).toBe(false);
    expect(await records.getTitle(r, id)).toMatchObject({ state: "encoding", plan: samplePlanId, plannedSegments: 8 });
    expect(await records.getPlan(r, id, samplePlanId)).toEqual(samplePlan);
    expect(await records.getPlan(r, id, PlanId.parse("0".repeat(20)))).toBeUndefined();
    expect(await records.getInspection(r, id)).toEqual(sampleInspection);
  });

  test("planned again to the same plan keep its receipts", async () => {
    const id = await addPlanned("planned-again");
    await records.moveTitle(r, id, { from: ["encoding"], to: "failed" });
    await records.moveTitle(r, id, { from: ["failed"], to: "preparing" });
    expect(await records.savePlan(r, id, planned)).toBe(true);
  });

  test("are listed newest first, page by page, without gaps or repetitions", async () => {
    const ids: TitleId[] = [];
    for (let i = 0; i < 7; i++) ids.push(await addTitle(`page-${i}`, `Page% ${i}`));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await records.listTitles(r, { search: "pAge%", limit: 3, after });
      expect(page.rows.length).toBeLessThanOrEqual(3);
      seen.push(...page.rows.map((row) => row.id));
      after = page.next ?? undefined;
      // A title that comes in meanwhile is newer than every page still to come.
      await addTitle(`late-${seen.length}`, "Page% late");
    } while (after !== undefined);
    expect(seen).toEqual(ids.toReversed());
    expect((await records.listTitles(r, { search: "e% 3", limit: 9 })).rows.map((row) => row.id)).toEqual(["page-3"]);
    expect((await records.listTitles(r, { search: "p_ge", limit: 9 })).rows).toEqual([]);
    await expect(records.listTitles(r, { limit: 3, after: "nonsense" })).rejects.toMatchObject({
      code: "usage.invalid",
    });
  });

  test("are found by state and by source", async () => {
    const id = await addTitle("by-state");
    await records.moveTitle(r, id, { from: ["waiting"], to: "removing" });
    expect((await records.titlesInStates(r, ["removing"])).map((row) => row.id)).toEqual([id]);
    expect((await records.listTitles(r, { state: "removing", limit: 5 })).rows.map((row) => row.id)).toEqual([id]);
    const source = { path: "/films/by-state.mp4", kind: "file" as const };
    expect(await records.findTitleBySource(r, source)).toBeUndefined();
    await records.moveTitle(r, id, { from: ["removing"], to: "waiting" });
    expect((await records.findTitleBySource(r, source))?.id).toBe(id);
  });

  test("change priority and are published once", async () => {
    const id = await addPlanned("published");
    expect(await records.setTitlePriority(r, id, 2)).toBe(true);
    expect(await records.setTitlePriority(r, TitleId.parse("nowhere"), 2)).toBe(false);
    const heard: records.RecordEvent[] = [];
    const stop = r.events.subscribe((event) => heard.push(event));
    expect(await records.isPublished(r, id, samplePlanId)).toBe(false);
    await records.addPublication(r, id, samplePlanId);
    await records.addPublication(r, id, samplePlanId);
    expect(await records.isPublished(r, id, samplePlanId)).toBe(true);
    expect(await records.getTitle(r, id)).toMatchObject({ priority: 2, published: true, storedSegments: 8 });
    const ids = async (state: "ready" | "encoding") =>
      (await records.listTitles(r, { state, limit: 100 })).rows.map((row) => row.id);
    expect(await ids("ready")).toContain(id);
    expect(await ids("encoding")).not.toContain(id);
    await records.setTitlePriority(r, id, 3);
    await expect.poll(() => heard.at(-1)).toEqual({ kind: "title", title: id });
    // Events of what was done before the subscription may still come in.
    expect(heard.filter((event) => event.kind === "published")).toHaveLength(1);
    stop();
  });

  test("are forgotten with all that belongs to them", async () => {
    const id = await addPlanned("forgotten");
    await records.addPublication(r, id, samplePlanId);
    expect(await records.deleteTitle(r, id)).toBe(true);
    expect(await records.deleteTitle(r, id)).toBe(false);
    expect(await records.isPublished(r, id, samplePlanId)).toBe(false);
  });
});
