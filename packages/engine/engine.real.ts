import { type EncodeProgress, PipelineError, TitleId, TrackId } from "@gakuen/contracts";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineLog } from "./log.ts";
import { sampleEncode, samplePublish } from "./sample-jobs.ts";
import { testServers } from "./testing.ts";
import type { Handler, WorkerHandle } from "./worker.ts";

const log: EngineLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const v1080 = TrackId.parse("v1080");
let engine: Engine;
let elsewhere: Engine;
let number = 0;
let title: TitleId;

/** A busy machine, and encoders that look for jobs once a second. */
const patience = { timeout: 20_000 };

/** Runs `handler` under `scope`'s lifetime. */
function during(scope: AsyncDisposableStack, worker: WorkerHandle): void {
  scope.defer(() => worker.close());
}

/** A handler that never ends by itself, as an encoder that works: it rejects when its signal fires. */
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const chunks = (...names: string[]) => names.map((name, i) => ({ job: sampleEncode(title, name), priority: 10 + i }));

describe.each(testServers)("the work queue on %s", (_, openServer) => {
  let server: { url: string } & AsyncDisposable;
  beforeAll(async () => {
    server = await openServer();
    [engine, elsewhere] = await Promise.all([
      openEngine({ url: server.url, log }),
      openEngine({ url: server.url, log, name: "elsewhere", worksOnly: true }),
    ]);
  });
  afterAll(async () => {
    await engine.close();
    await elsewhere.close();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    title = TitleId.parse(`title-${++number}`);
  });

  test("begins what a viewer waits for in an extra slot, and nothing else", async () => {
    await engine.addGraph(
      samplePublish(title),
      chunks("v0", "v1", "v2", "v3").map((chunk) => ({ ...chunk, priority: chunk.priority + 2 ** 20 })),
    );
    const begun: string[] = [];
    const wanted: string[] = [];
    const finish = Promise.withResolvers<void>();
    await using scope = new AsyncDisposableStack();
    scope.defer(() => engine.cancelTitle(title));
    scope.defer(() => finish.resolve());
    during(
      scope,
      elsewhere.workEncode(
        async (job, { hurry, onWanted }) => {
          begun.push(`${job.ref.chunk}${hurry ? " in a hurry" : ""}`);
          onWanted((track) => wanted.push(`${track} of ${job.ref.chunk}`));
          await finish.promise;
        },
        { slots: 1 },
      ),
    );
    while (begun.length < 1) await delay(20);
    expect(await engine.setEncodePriority(sampleEncode(title, "v3").ref, 2 ** 20 + 500)).toBe(true);
    await delay(700);
    expect(begun).toEqual(["v0"]);
    await engine.hurryEncode(sampleEncode(title, "v2").ref, v1080, 7);
    while (begun.length < 2) await delay(20);
    expect(begun).toEqual(["v0", "v2 in a hurry"]);
    // What runs already is told, once for each track.
    await engine.hurryEncode(sampleEncode(title, "v0").ref, v1080, 6);
    await engine.hurryEncode(sampleEncode(title, "v0").ref, v1080, 5);
    await expect.poll(() => wanted, patience).toContain("v1080 of v0");
    // Whoever comes too late for the hurried job must not keep what it took instead.
    await delay(700);
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 2, active: 2 } });
    finish.resolve();
    await expect.poll(() => begun, patience).toHaveLength(4);
    expect(begun).toEqual(["v0", "v2 in a hurry", "v1", "v3"]);
    expect(wanted.filter((track) => track === "v1080 of v0")).toHaveLength(1);
  });

  test("waits out a service that is away, without using up attempts", async () => {
    await engine.addGraph(samplePublish(title), chunks("v0"));
    const attempts: number[] = [];
    await using scope = new AsyncDisposableStack();
    scope.defer(() => engine.cancelTitle(title));
    during(
      scope,
      engine.workEncode(
        async (_job, { attempt }) => {
          attempts.push(attempt);
          if (attempts.length < 3) throw new PipelineError("service.unreachable", "the uploader is away");
        },
        { slots: 1 },
      ),
    );
    await expect.poll(() => attempts, { timeout: 20_000 }).toEqual([1, 1, 1]);
    // Counts are no snapshot: a job that is just being moved may be in none.
    await expect.poll(() => engine.hasPublish(samplePublish(title)), patience).toBe(true);
    expect(await engine.failures()).toEqual([]);
  });

  test("does what is most urgent first, also when that changes while it waits", async () => {
    await engine.addGraph(samplePublish(title), chunks("v0", "v1", "v2"));
    expect(await engine.setEncodePriority(sampleEncode(title, "v2").ref, 1)).toBe(true);
    expect(await engine.setEncodePriority(sampleEncode(title, "v9").ref, 1)).toBe(false);
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 3, active: 0 } });
    const done: string[] = [];
    await using scope = new AsyncDisposableStack();
    during(
      scope,
      engine.workEncode(
        async (job) => {
          if (done.length === 0) expect(await engine.setEncodePriority(job.ref, 1)).toBe(false);
          done.push(job.ref.chunk);
        },
        { slots: 1 },
      ),
    );
    await expect.poll(() => done, patience).toEqual(["v2", "v0", "v1"]);
    await engine.cancelTitle(title);
  });

  test("publishes once when the last chunk is done, though the graph was added again and again", async () => {
    const publish = samplePublish(title);
    const graph = chunks("v0", "v1", "v2", "v3");
    await engine.addGraph(publish, graph);
    await Promise.all([engine.addGraph(publish, graph), elsewhere.addGraph(publish, graph)]);
    expect(await engine.hasPublish(publish)).toBe(true);
    expect(await engine.counts()).toMatchObject({ encode: { waiting: 4 }, publish: { waiting: 0 } });
    const done: string[] = [];
    await using scope = new AsyncDisposableStack();
    during(
      scope,
      elsewhere.workPublish(async () => void done.push("published"), { concurrency: 2 }),
    );
    during(
      scope,
      engine.workEncode(
        async (job) => {
          done.push(job.ref.chunk);
          // Chunks that are done already are not brought back by this.
          await engine.addGraph(publish, graph);
        },
        { slots: 2 },
      ),
    );
    await expect.poll(() => engine.hasPublish(publish), patience).toBe(false);
    expect(done.toSorted()).toEqual(["published", "v0", "v1", "v2", "v3"]);
    expect(done.at(-1)).toBe("published");
    expect(await engine.failures()).toEqual([]);
  });

  test("tries again later what may help, and tells a failure for good to everybody", async () => {
    const attempts: number[] = [];
    const hints: TitleId[] = [];
    await using scope = new AsyncDisposableStack();
    scope.defer(elsewhere.onFailure((failed) => hints.push(failed)));
    during(
      scope,
      engine.workPrepare(
        async (_, { attempt }) => {
          attempts.push(attempt);
          throw new PipelineError("source.unreachable", "it does not answer: try later");
        },
        { concurrency: 1 },
      ),
    );
    await engine.addPrepare({ title }, { priority: 1 });
    await expect.poll(() => hints, { timeout: 20_000 }).toEqual([title]);
    expect(attempts).toEqual([1, 2, 3, 4]);
    const failure = { kind: "prepare", title, code: "source.unreachable", message: "it does not answer: try later" };
    expect(await elsewhere.failures()).toEqual([{ ...failure, jobId: `${title}.prepare` }]);
    expect(await engine.hasPrepare(title)).toBe(false);
    await elsewhere.clearFailures(title);
    expect(await engine.failures()).toEqual([]);
  });

  test("does not try again what cannot help, and fails the whole graph with the chunk's reason", async () => {
    let tries = 0;
    await using scope = new AsyncDisposableStack();
    during(
      scope,
      engine.workPublish(async () => undefined, { concurrency: 1 }),
    );
    during(
      scope,
      engine.workEncode(
        async () => {
          tries += 1;
          throw new PipelineError("source.changed", "the file is another one now");
        },
        { slots: 1 },
      ),
    );
    await engine.addGraph(samplePublish(title), chunks("v0"));
    await expect.poll(() => engine.hasPublish(samplePublish(title)), patience).toBe(false);
    expect(tries).toBe(1);
    expect(await engine.failures()).toMatchObject([{ kind: "encode", title, code: "source.changed" }]);
    await engine.clearFailures(title);
    // Nothing of it is left in the way of a new beginning.
    await engine.addGraph(samplePublish(title), chunks("v0"));
    expect(await engine.hasPublish(samplePublish(title))).toBe(true);
    await engine.cancelTitle(title);
  });

  test("refuses data that is not a job", async () => {
    await using scope = new AsyncDisposableStack();
    during(
      scope,
      engine.workPublish(async () => undefined, { concurrency: 1 }),
    );
    const broken = { title, plan: "not-a-plan" } as unknown as ReturnType<typeof samplePublish>;
    await engine.addGraph(broken, []);
    await expect
      .poll(() => engine.failures(), patience)
      .toMatchObject([{ kind: "publish", title, code: "usage.invalid" }]);
    await engine.clearFailures(title);
  });

  test("cancels a title in every process and leaves nothing of it", async () => {
    let stopped = 0;
    let running = 0;
    const handler: Handler<unknown> = async (_, { signal }) => {
      running += 1;
      await untilAborted(signal).finally(() => (stopped += 1));
    };
    await using scope = new AsyncDisposableStack();
    during(scope, engine.workEncode(handler, { slots: 1 }));
    during(scope, elsewhere.workEncode(handler, { slots: 1 }));
    during(
      scope,
      elsewhere.workPublish(async () => undefined, { concurrency: 1 }),
    );
    await engine.addGraph(samplePublish(title), chunks("v0", "v1", "v2", "v3", "v4"));
    await expect.poll(() => running, patience).toBe(2);
    expect(stopped).toBe(0);
    await engine.cancelTitle(title);
    // A slot that became free found no other chunk of the title.
    expect({ running, stopped }).toEqual({ running: 2, stopped: 2 });
    expect(await engine.hasPublish(samplePublish(title))).toBe(false);
    const nothing = { waiting: 0, active: 0 };
    expect(await engine.counts()).toEqual({ prepare: nothing, encode: nothing, publish: nothing });
    expect(await engine.failures()).toEqual([]);
  });

  test("leaves other titles alone when one is cancelled", async () => {
    const other = TitleId.parse(`${title}-other`);
    await engine.addPrepare({ title: other }, { priority: 1 });
    await engine.addPrepare({ title }, { priority: 1 });
    await engine.cancelTitle(title);
    expect(await engine.hasPrepare(title)).toBe(false);
    expect(await engine.hasPrepare(other)).toBe(true);
    await engine.cancelTitle(other);
  });

  test("takes back what a closed worker had in hand, for another to begin at once and with all its attempts", async () => {
    await using scope = new AsyncDisposableStack();
    const events: string[] = [];
    const first = engine.workEncode(
      async (_, { signal, attempt }) => {
        events.push(`first ${attempt}`);
        await untilAborted(signal);
      },
      { slots: 1 },
    );
    await engine.addGraph(samplePublish(title), chunks("v0"));
    await expect.poll(() => events, patience).toEqual(["first 1"]);
    during(
      scope,
      elsewhere.workEncode(async (_, { attempt }) => void events.push(`second ${attempt}`), { slots: 1 }),
    );
    await first.close();
    await expect.poll(() => events, patience).toEqual(["first 1", "second 1"]);
    await engine.cancelTitle(title);
  });

  test("lets a worker finish what it has in hand within its grace", async () => {
    const events: string[] = [];
    const worker = engine.workPrepare(
      async (_, { signal }) => {
        events.push("begun");
        await delay(300);
        events.push(signal.aborted ? "aborted" : "done");
      },
      { concurrency: 1 },
    );
    await engine.addPrepare({ title }, { priority: 1 });
    await expect.poll(() => events, patience).toEqual(["begun"]);
    await worker.close({ graceMs: 20_000 });
    expect(events).toEqual(["begun", "done"]);
    expect(await engine.hasPrepare(title)).toBe(false);
  });

  test("tells progress to every process, the newest first and not too often", async () => {
    const heard: EncodeProgress[] = [];
    await using scope = new AsyncDisposableStack();
    scope.defer(elsewhere.onProgress((ref, progress) => ref.title === title && heard.push(progress)));
    during(
      scope,
      engine.workEncode(
        async (_, { report }) => {
          for (let seconds = 0; seconds < 1200; seconds++) {
            report({ seconds, total: 1200, encoder: "here" });
            await delay(10);
          }
        },
        { slots: 1 },
      ),
    );
    await engine.addGraph(samplePublish(title), chunks("v0"));
    // The very first may be told before anybody listens.
    await expect.poll(() => heard.at(-1)?.seconds ?? 0, { timeout: 20_000 }).toBeGreaterThan(0);
    await expect
      .poll(async () => (await engine.counts()).encode, { timeout: 20_000 })
      .toEqual({ waiting: 0, active: 0 });
    expect(heard.length).toBeLessThan(5);
    expect(heard.map((progress) => progress.seconds)).toEqual(
      heard.map((progress) => progress.seconds).toSorted((a, b) => a - b),
    );
    await engine.cancelTitle(title);
  });
});

test.each(["postgres", "redis"])(
  "a queue at %s:// that cannot be reached is named, without the password",
  async (kind) => {
    const url = `${kind}://gakuen:secret-word@127.0.0.1:1/0`;
    const error = await openEngine({ url, log }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "database.unavailable", message: expect.stringContaining("127.0.0.1:1") });
    expect(String(error)).not.toContain("secret-word");
  },
);
