import { TitleId } from "@gakuen/contracts";
import { withTestDatabase } from "@gakuen/records/testing";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import type { EngineLog } from "./log.ts";
import { sampleEncode, samplePublish } from "./sample-jobs.ts";
import { withTestRedis } from "./test-redis.ts";

const warnings: string[] = [];
const none = (): void => undefined;
const log: EngineLog = { debug: none, info: none, warn: (_, message) => warnings.push(message), error: none };

describe("a queue in PostgreSQL", () => {
  let database: { url: string } & AsyncDisposable;
  let watcher: Client;
  beforeAll(async () => {
    database = await withTestDatabase();
    watcher = new Client({ connectionString: database.url });
    await watcher.connect();
  });
  afterAll(async () => {
    await watcher.end();
    await database[Symbol.asyncDispose]();
  });

  const others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";

  test("is used on one connection by an encoder, and goes on as it was when that is cut", async () => {
    await using engine = await openEngine({ url: database.url, log, worksOnly: true });
    const title = TitleId.parse("cut");
    const encodes = ["v0", "v1", "v2", "v3"].map((chunk, i) => ({ job: sampleEncode(title, chunk), priority: 1 + i }));
    const done: string[] = [];
    const stopped: string[] = [];
    engine.workEncode(
      async ({ ref }, { signal }) => {
        if (ref.title === title) {
          done.push(ref.chunk);
          return;
        }
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        stopped.push(ref.chunk);
      },
      { slots: 3 },
    );
    await engine.addGraph(samplePublish(title), encodes);
    await expect.poll(() => done.toSorted(), { timeout: 20_000 }).toEqual(["v0", "v1", "v2", "v3"]);
    expect((await watcher.query(`select pid ${others}`)).rowCount).toBe(1);

    await watcher.query(`select pg_terminate_backend(pid) ${others}`);
    const next = TitleId.parse("after");
    // The first statement after the cut may still be lost with the connection.
    await expect
      .poll(() =>
        engine.addGraph(samplePublish(next), [{ job: sampleEncode(next, "v0"), priority: 1 }]).then(() => true),
      )
      .toBe(true);
    await expect.poll(async () => (await engine.counts()).encode.active, { timeout: 20_000 }).toBe(1);
    await engine.cancelTitle(next);
    expect(stopped).toEqual(["v0"]);
    expect((await watcher.query(`select pid ${others}`)).rowCount).toBe(1);
    await engine.cancelTitle(title);
  });

  test("has an index of the few jobs that may have stalled, also where the tables were made before", async () => {
    const index = "gakuen_queue.gakuen_job_stalled_idx";
    await watcher.query(`drop index if exists ${index}`);
    const together = [1, 2, 3].map(() => openEngine({ url: database.url, log }));
    for (const engine of await Promise.all(together)) await engine.close();
    const { rows } = await watcher.query(`select to_regclass('${index}') is not null as there`);
    expect(rows).toEqual([{ there: true }]);
  });

  test("tells a role that may not make its tables what to do", async () => {
    await watcher.query("create role stranger login password 'stranger'");
    const url = new URL(database.url);
    url.username = "stranger";
    url.password = "stranger";
    await expect(openEngine({ url: url.href, log, namespace: "elsewhere" })).rejects.toMatchObject({
      code: "database.unavailable",
      message: expect.stringContaining("start Kaichou first"),
    });
    await watcher.query("drop role stranger");
  });
});

describe("a queue in Redis", () => {
  test("is refused where keys are thrown away when memory is short", async () => {
    await using redis = await withTestRedis(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    await expect(openEngine({ url: redis.url, log })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("maxmemory-policy noeviction"),
    });
  });

  test("that keeps nothing on disk is used with a warning, and one that does without", async () => {
    warnings.length = 0;
    await using forgetful = await withTestRedis([]);
    await (await openEngine({ url: forgetful.url.replace("redis:", "valkey:"), log })).close();
    expect(warnings).toEqual([expect.stringContaining("appendonly yes")]);
    warnings.length = 0;
    await using lasting = await withTestRedis();
    await (await openEngine({ url: lasting.url, log })).close();
    expect(warnings).toEqual([]);
  });

  test("that writes each command before it answers has all jobs again after kill -9", async () => {
    await using redis = await withTestRedis(["--appendonly", "yes", "--appendfsync", "always"]);
    await using engine = await openEngine({ url: redis.url, log });
    const title = TitleId.parse("kept");
    await engine.addGraph(
      samplePublish(title),
      ["v0", "v1"].map((chunk) => ({ job: sampleEncode(title, chunk), priority: 1 })),
    );
    await redis.restart();
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 2 } });
    const done: string[] = [];
    engine.workEncode(async ({ ref }) => void done.push(ref.chunk), { slots: 1 });
    await expect.poll(() => done.toSorted(), { timeout: 20_000 }).toEqual(["v0", "v1"]);
    expect((await engine.counts()).publish.waiting).toBe(1);
  });
});
