import { appendFile, copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AddTitle, ChunkId, PipelineError, type TitleId, titlePrefix } from "@gakuen/contracts";
import { type Engine, openEngine, type WorkerHandle } from "@gakuen/engine";
import { inspectSource } from "@gakuen/ffmpeg";
import { getPlan, getTitle, insertTitle, planReceipts, savePlan, moveTitle, type TitleRow } from "@gakuen/records";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  encodedParts,
  never,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  sent,
  type TestParts,
  titleInEncoding,
  tools,
} from "../kaikeishi-uploader/testing.ts";
import { withTestRedis } from "../../packages/engine/test-redis.ts";
import { sourceInPlace } from "./encoder-address.ts";
import { createKaichou, type Kaichou } from "./kaichou.ts";

let parts: TestParts;
let film: PlannedFilm;
let engine: Engine;
let kaichou: Kaichou;
let source: string;
let copies = 0;
const running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  engine = await openEngine({ url: parts.databaseUrl, log: parts.log });
  const inspect = (address: PlannedFilm["source"], signal: AbortSignal) => inspectSource(address, { tools, signal });
  kaichou = createKaichou({ ...parts, engine, inspect, encoderAddress: sourceInPlace });
});
afterAll(async () => {
  await engine.close();
  await parts[Symbol.asyncDispose]();
});
beforeEach(async () => {
  source = join(parts.folder, `source-${++copies}.mp4`);
  if (film.source.kind === "file") await copyFile(film.source.path, source);
});
afterEach(async () => {
  for (const started of running.splice(0)) await started.stop();
  for (const { id } of await parts.records.db.selectFrom("titles").select("id").execute())
    await kaichou.remove(id as TitleId);
});

async function start(): Promise<void> {
  running.push(await kaichou.start());
}
const wish = (change: Partial<AddTitle> = {}): AddTitle =>
  AddTitle.parse({ source, settings: { preset: "ultrafast", rungs: [144, 120], segmentSeconds: 1 }, ...change });

async function until(id: TitleId, state: TitleRow["state"]): Promise<TitleRow> {
  for (;;) {
    const row = await getTitle(parts.records, id);
    if (row?.state === state) return row;
    await delay(20);
  }
}
/** What the planner cuts the film into, in the order of encoding. */
const chunkIds = ["a1-0", "v0-low", "v0-rest", "v1", "v2", "v3", "v4"];
const encodesWaiting = async (): Promise<number> => (await engine.counts()).encode.waiting;
async function untilQueued(jobs: number): Promise<void> {
  while ((await encodesWaiting()) !== jobs) await delay(20);
}
/** Works on encode jobs with `handler` as long as `during` lasts. */
async function working(handler: Parameters<Engine["workEncode"]>[0], during: () => Promise<void>): Promise<void> {
  const worker: WorkerHandle = engine.workEncode(handler, { slots: 1 });
  try {
    await during();
  } finally {
    await worker.close();
  }
}
const row = (id: TitleId) => getTitle(parts.records, id);

describe("a source that is added", () => {
  test("is inspected and planned, and every chunk of it is queued", async () => {
    await start();
    const id = await kaichou.add(wish({ priority: 3 }));
    expect(id).toMatch(/^source-\d+-[a-z2-9]{6}$/);
    const planned = await until(id, "encoding");
    const plan = planned.plan && (await getPlan(parts.records, id, planned.plan));
    expect(plan?.chunks.map((chunk) => chunk.id)).toEqual(chunkIds);
    await untilQueued(chunkIds.length);
    expect(await engine.hasPublish({ title: id, plan: planned.plan ?? film.planId })).toBe(true);
    // The job that queued them ends a moment later.
    await expect.poll(() => engine.hasPrepare(id), { timeout: 10_000 }).toBe(false);
  });

  test("whose job was never queued, because we died in between, is prepared after the next start", async () => {
    const title = await titleWaiting();
    await start();
    await until(title, "encoding");
    await untilQueued(chunkIds.length);
  });

  test("while the queue does not answer is taken in all the same, and prepared when it is back", async () => {
    await using redis = await withTestRedis();
    await using away = await openEngine({ url: redis.url, log: parts.log });
    const inspect = (address: PlannedFilm["source"], signal: AbortSignal) => inspectSource(address, { tools, signal });
    const waiting = createKaichou({ ...parts, engine: away, inspect, encoderAddress: sourceInPlace });
    process.kill(redis.pid, "SIGSTOP");
    const id = await waiting.add(wish());
    expect((await row(id))?.state).toBe("waiting");
    process.kill(redis.pid, "SIGCONT");
    running.push(await waiting.start());
    await until(id, "encoding");
  });

  test("whose chunks were never queued gets them after the next start, and only once", async () => {
    const title = await titleInEncoding(parts, film);
    await start();
    await untilQueued(4);
    await start();
    await delay(200);
    expect(await encodesWaiting()).toBe(4);
    expect(await engine.hasPublish({ title, plan: film.planId })).toBe(true);
  });

  test("that is no film fails with the reason, and says it until it is tried again", async () => {
    await start();
    await writeFile(source, "This is not a film.\n".repeat(500));
    const id = await kaichou.add(wish());
    const failed = await until(id, "failed");
    expect(failed.error).toMatchObject({ code: "source.not-media" });
    if (film.source.kind === "file") await copyFile(film.source.path, source);
    await kaichou.retry(id);
    expect((await until(id, "encoding")).error).toBeNull();
  });

  test.each([
    ["film.mp4", "is a relative path"],
    ["ftp://example.org/film.mp4", "ftp:// sources are not supported"],
    ["http://", "is not a valid URL"],
    ["file://another-machine/film.mp4", "not a file of this machine"],
  ])("as %s is refused at once", async (wrong, says) => {
    await expect(kaichou.add(wish({ source: wrong }))).rejects.toMatchObject({
      code: "usage.invalid",
      message: expect.stringContaining(says),
    });
  });
});

async function titleWaiting(): Promise<TitleId> {
  const id = `waiting-${copies}` as TitleId;
  const { settings } = wish();
  await insertTitle(parts.records, { id, name: id, source: { kind: "file", path: source }, settings, priority: 8 });
  return id;
}

describe("a title one of whose chunks fails for good", () => {
  test("is failed with the chunk's reason, and its other chunks are called off", async () => {
    await start();
    const other = await titleInEncoding(parts, film);
    const id = await kaichou.add(wish());
    await until(id, "encoding");
    await untilQueued(chunkIds.length);
    await working(
      async (job) => {
        if (job.ref.title === id) throw new PipelineError("source.unsupported-codec", "this cannot be decoded");
      },
      async () => {
        const failed = await until(id, "failed");
        expect(failed.error).toEqual({ code: "source.unsupported-codec", message: "this cannot be decoded" });
        while ((await engine.failures()).length > 0) await delay(20);
      },
    );
    expect(await encodesWaiting()).toBe(0);
    expect(await engine.hasPublish({ title: id, plan: film.planId })).toBe(false);
    expect(await row(other)).toMatchObject({ state: "encoding", error: null });
  });
});

describe("cancel, retry and remove", () => {
  test("cancel ends what waits and what runs; retry keeps the plan and what is stored, and encodes only the rest", async () => {
    await start();
    const id = await kaichou.add(wish());
    const { plan } = await until(id, "encoding");
    await untilQueued(chunkIds.length);
    const stopped = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    await working(
      async (job, { signal }) => {
        if (job.ref.chunk === "v1") {
          signal.addEventListener("abort", () => stopped.resolve());
          begun.resolve();
          await stopped.promise;
          signal.throwIfAborted();
        } else await store(job);
      },
      async () => {
        await begun.promise;
        await kaichou.cancel(id);
        await stopped.promise;
      },
    );
    expect(await row(id)).toMatchObject({ state: "cancelled", plan });
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 0, active: 0 }, publish: { waiting: 0 } });
    const before = await receipts(id);
    expect(before.length).toBeGreaterThan(0);

    await kaichou.retry(id);
    expect(await until(id, "encoding")).toMatchObject({ plan });
    await untilQueued(chunkIds.length);
    const encoded: string[] = [];
    await working(
      async (job) => {
        if (await store(job)) encoded.push(job.ref.chunk);
      },
      async () => {
        // The publication waits for the last chunk.
        while ((await engine.counts()).publish.waiting === 0) await delay(20);
      },
    );
    expect(encoded).toEqual(["v1", "v2", "v3", "v4"]);
    expect(await receipts(id)).toEqual(expect.arrayContaining(before));
  });

  test("that is paused is put down, still plays, and is taken up where it was", async () => {
    const id = await kaichou.add(wish());
    await start();
    const { plan } = await until(id, "encoding");
    await untilQueued(chunkIds.length);
    const encoded: string[] = [];
    const some = Promise.withResolvers<void>();
    const handler = async (job: Parameters<typeof store>[0]): Promise<void> => {
      if (await store(job)) encoded.push(job.ref.chunk);
      if (encoded.length === 3) some.resolve();
    };
    await working(handler, async () => {
      await some.promise;
      await kaichou.pause(id);
    });
    expect(await row(id)).toMatchObject({ state: "paused", plan });
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 0, active: 0 }, publish: { waiting: 0 } });
    await expect(kaichou.pause(id)).rejects.toMatchObject({ code: "title.wrong-state" });
    await kaichou.resume(id);
    expect(await row(id)).toMatchObject({ state: "encoding", plan });
    await working(handler, async () => {
      while ((await engine.counts()).publish.waiting === 0) await delay(20);
    });
    expect(encoded.toSorted()).toEqual(chunkIds.toSorted());
  });

  test("goes before others when its priority is raised while it waits", async () => {
    const ids = [await kaichou.add(wish()), await kaichou.add(wish())];
    await start();
    for (const id of ids) await until(id, "encoding");
    await untilQueued(2 * chunkIds.length);
    const [, second] = ids;
    if (second) await kaichou.change(second, { priority: 0 });
    const begun: TitleId[] = [];
    const taken = Promise.withResolvers<void>();
    await working(
      async (job) => {
        begun.push(job.ref.title);
        taken.resolve();
      },
      () => taken.promise,
    );
    expect(begun[0]).toBe(second);
  });

  /** Encodes and stores a chunk for real; false when it was complete. */
  async function store(job: Parameters<Parameters<Engine["workEncode"]>[0]>[0]): Promise<boolean> {
    const claim = await parts.kaikeishi.claim(job.ref, job.grant, never());
    if (claim.state === "complete") return false;
    for (const [track, encoded] of await encodedParts(job))
      await parts.kaikeishi.put({ ...job.ref, track: track as never }, claim.token, sent(encoded), never());
    return true;
  }
  async function receipts(id: TitleId) {
    const title = await row(id);
    return title?.plan ? planReceipts(parts.records, id, title.plan) : [];
  }

  test("a source that is another than the planned one is not encoded into it", async () => {
    const id = await kaichou.add(wish());
    await start();
    await until(id, "encoding");
    await kaichou.cancel(id);
    await appendFile(source, "changed");
    await kaichou.retry(id);
    expect((await until(id, "failed")).error).toMatchObject({
      code: "source.changed",
      message: expect.stringContaining("add the source again"),
    });
    expect(await encodesWaiting()).toBe(0);
  });

  test("what cannot be done is refused with the state and the rule", async () => {
    const id = await titleWaiting();
    await expect(kaichou.retry(id)).rejects.toMatchObject({
      code: "title.wrong-state",
      message: `${id} is waiting and cannot be retried: only a failed or cancelled title can be retried`,
    });
    await kaichou.cancel(id);
    await expect(kaichou.cancel(id)).rejects.toMatchObject({
      code: "title.wrong-state",
      message: `${id} is cancelled and cannot be cancelled: only a title that is not finished can be cancelled`,
    });
    for (const control of [kaichou.cancel, kaichou.retry, kaichou.remove])
      await expect(control("nothing-here" as TitleId)).rejects.toMatchObject({ code: "title.not-found" });
  });

  test("a title that is complete cannot be cancelled or retried", async () => {
    const id = await titleInEncoding(parts, film);
    await parts.records.db.insertInto("publications").values({ title: id, plan: film.planId }).execute();
    for (const control of [kaichou.cancel, kaichou.retry])
      await expect(control(id)).rejects.toMatchObject({
        code: "title.wrong-state",
        message: expect.stringContaining(`${id} is ready and cannot be`),
      });
  });

  test.each(["encoding", "cancelled", "failed", "removing"] as const)(
    "removing a title that is %s leaves no object, no row and no job, and nothing of others goes",
    async (state) => {
      const id = await titleInEncoding(parts, film);
      const other = await titleInEncoding(parts, film);
      if (state !== "removing") {
        await start();
        await untilQueued(2 * film.plan.chunks.length);
      }
      for (const title of [id, other])
        for (const name of ["manifest.mpd", "v144/1.m4s", "v144/2.m4s"])
          await parts.store.put(`${titlePrefix(title)}${film.planId}/${name}`, Buffer.from(name));
      if (state !== "encoding") await moveTitle(parts.records, id, { from: ["encoding"], to: state });

      // A removal that was cut short is finished at the next start.
      if (state === "removing") await start();
      else await kaichou.remove(id);

      expect(await row(id)).toBeUndefined();
      expect(await Array.fromAsync(parts.store.list(titlePrefix(id)))).toEqual([]);
      expect(await Array.fromAsync(parts.store.list(titlePrefix(other)))).toHaveLength(3);
      await untilQueued(film.plan.chunks.length);
      expect(await row(other)).toMatchObject({ state: "encoding" });
      const ref = { title: id, plan: film.planId, chunk: ChunkId.parse("v1") };
      const grant = await parts.tokens.sign("grant", ref, 60);
      await expect(parts.kaikeishi.claim(ref, grant, never())).rejects.toMatchObject({ code: "ingest.title-gone" });
      expect(await savePlan(parts.records, id, film)).toBe(false);
    },
  );
});
