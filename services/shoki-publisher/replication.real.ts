import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { planPrefix, type TitleId, titlePrefix } from "@gakuen/contracts";
import { createHttpServer } from "@gakuen/platform";
import {
  deleteTitle,
  getTitle,
  renewReplica,
  replicaCopied,
  type ReplicaTask,
  takeReplica,
  titleReplicas,
} from "@gakuen/records";
import { type ObjectStore, openFileStore } from "@gakuen/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { storeChecksums } from "../../test/e2e/store-checksums.ts";
import {
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  type TestParts,
  titleInEncoding,
} from "../kaikeishi-uploader/testing.ts";
import { publishTitle } from "./publish-title.ts";
import { replicaRoutes } from "./replica-routes.ts";
import { copyPlan } from "./replicate-title.ts";
import { startReplication } from "./replication.ts";
import { type EncodedFilm, encodeFilm, storeChunk } from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
let encoded: EncodedFilm;
const running: { stop(): Promise<void> }[] = [];
let folders = 0;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  encoded = await encodeFilm(parts, film);
});
afterAll(() => parts[Symbol.asyncDispose]());
afterEach(async () => {
  for (const replication of running.splice(0)) await replication.stop();
  await parts.records.db.deleteFrom("titles").execute();
});

async function published(): Promise<TitleId> {
  const title = await titleInEncoding(parts, film);
  for (const { id } of film.plan.chunks) await storeChunk(parts, film, encoded, title, id);
  await publishTitle(parts, { title, plan: film.planId });
  return title;
}

/** A second store in a folder of its own. */
async function secondStore(): Promise<{ url: string; folder: string; replica: ObjectStore }> {
  const folder = join(parts.folder, `second-${++folders}`);
  return { url: pathToFileURL(folder).href, folder, replica: await openFileStore(folder) };
}
function replicate(replicaUrl: string): void {
  running.push(startReplication({ ...parts, replicaUrl, everyMs: 100 }));
}
const sums = (store: ObjectStore, title: TitleId) => storeChecksums(store, titlePrefix(title));
const copies = (title: TitleId) => titleReplicas(parts.records, title);
async function untilCopied(title: TitleId) {
  for (;;) {
    const [copy] = await copies(title);
    if (copy?.copiedAt) return copy;
    await delay(20);
  }
}

describe("a second store", () => {
  test("gets every object of what was published, before and since, and the API tells of it", async () => {
    const { url, replica } = await secondStore();
    const before = await published();
    replicate(url);
    replicate(url);
    const since = await published();
    for (const title of [before, since]) {
      const { objects } = await untilCopied(title);
      const first = await sums(parts.store, title);
      expect(await sums(replica, title)).toEqual(first);
      expect(objects).toBe(Object.keys(first).length);
    }
    const server = createHttpServer({ log: parts.log, service: "shoki", version: "0" });
    replicaRoutes(server, parts.records);
    const told = await server.inject(`/api/titles/${since}/copies`);
    expect(told.json()).toMatchObject([{ destination: url, plan: film.planId, error: null }]);
    await server.close();
  });

  test("has no manifest before it has all segments; begun again, a copy goes on where it was", async () => {
    const { replica } = await secondStore();
    const title = await published();
    const dying = new AbortController();
    let puts = 0;
    const put: ObjectStore["put"] = async (...args) => {
      if (++puts === 12) dying.abort(new Error("killed"));
      return replica.put(...args);
    };
    const job = { title, plan: film.planId };
    const list: ObjectStore["list"] = (prefix) => replica.list(prefix);
    const counted = (signal: AbortSignal) => copyPlan({ ...parts, replica: { put, list } }, job, signal);
    await expect(counted(dying.signal)).rejects.toThrow("killed");
    const half = Object.keys(await sums(replica, title));
    expect(half.length).toBeGreaterThan(5);
    expect(half.filter((key) => /m3u8$|mpd$/.test(key))).toEqual([]);

    puts = 100;
    const { objects } = await counted(AbortSignal.timeout(20_000));
    expect(puts - 100).toBe(objects - half.length);
    expect(await sums(replica, title)).toEqual(await sums(parts.store, title));
  });

  test("is not given what the first store has not kept as it was", async () => {
    const { replica } = await secondStore();
    const title = await published();
    const key = `${planPrefix(title, film.planId)}v120/7.m4s`;
    const size = (await parts.store.stat(key))?.bytes ?? 0;
    await parts.store.put(key, Buffer.alloc(size, 7));
    const copy = copyPlan({ ...parts, replica }, { title, plan: film.planId }, AbortSignal.timeout(20_000));
    await expect(copy).rejects.toMatchObject({
      code: "encode.incomplete",
      message: expect.stringContaining("v120/7.m4s"),
    });
    expect(await replica.stat(key)).toBeUndefined();
  });

  test("loses what is removed, also when nobody looked at the time", async () => {
    const { url, replica } = await secondStore();
    const [gone, stays] = [await published(), await published()];
    replicate(url);
    await untilCopied(gone);
    await untilCopied(stays);
    await running.pop()?.stop();
    await deleteTitle(parts.records, gone);
    replicate(url);
    while ((await copies(gone)).length > 0) await delay(20);
    expect(await sums(replica, gone)).toEqual({});
    expect(await sums(replica, stays)).toEqual(await sums(parts.store, stays));
  });

  test("that is away fails no title, is told of, and is copied to when it is back", async () => {
    const folder = join(parts.folder, "away");
    await writeFile(folder, "a file where the folder of the second store should be");
    const title = await published();
    replicate(pathToFileURL(folder).href);
    while (!(await copies(title))[0]?.error) await delay(20);
    expect(await getTitle(parts.records, title)).toMatchObject({ published: true, error: null });

    await rm(folder);
    await parts.records.db.updateTable("replicas").set({ due_at: new Date() }).execute();
    expect((await untilCopied(title)).error).toBeNull();
    expect(Object.keys(await sums(await openFileStore(folder), title)).length).toBeGreaterThan(30);
  });
});

test("of many that ask at once exactly one is given a title to copy, and when that one has died another", async () => {
  const { records } = parts;
  const title = await published();
  const take = () => takeReplica(records, "file:///somewhere");
  const tasks = (await Promise.all(Array.from({ length: 8 }, take))).filter((task) => task !== undefined);
  expect(tasks).toMatchObject([{ title, work: "copy" }]);
  const [dead] = tasks as [ReplicaTask];
  expect(await renewReplica(records, dead)).toBe(true);
  await records.db
    .updateTable("replicas")
    .set({ leased_until: new Date(0) })
    .execute();
  expect(await take()).toMatchObject({ title, work: "copy" });
  // It was only frozen: what it says now counts no more.
  expect(await renewReplica(records, dead)).toBe(false);
  await replicaCopied(records, dead, { objects: 1, bytes: 1 });
  expect((await copies(title)).find(({ destination }) => destination === "file:///somewhere")?.copiedAt).toBeNull();
});
