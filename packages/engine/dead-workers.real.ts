import { TitleId } from "@gakuen/contracts";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineLog } from "./log.ts";
import { sampleEncode, samplePublish } from "./sample-jobs.ts";
import { testServers } from "./testing.ts";

const log: EngineLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const children: ChildProcess[] = [];
let server: { url: string } & AsyncDisposable;
let engine: Engine;

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
});

/** A worker in a process of its own; `handler` is the source of one. Collects the lines that it prints. */
function workInChild(handler: string): { child: ChildProcess; lines: string[] } {
  const script = `
    const { openEngine } = await import(${JSON.stringify(new URL("./engine.ts", import.meta.url).href)});
    const none = () => {};
    const log = { debug: none, info: (fields) => console.log("refused", fields.reason), warn: none, error: none };
    const engine = await openEngine({ url: ${JSON.stringify(server.url)}, log, name: "child" });
    engine.workEncode(${handler}, { slots: 1 });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  return { child, lines };
}

const patience = { timeout: 30_000, interval: 50 };

describe.each(testServers)("a worker on %s", (_, openServer) => {
  beforeAll(async () => {
    server = await openServer();
    engine = await openEngine({ url: server.url, log });
  });
  afterAll(async () => {
    await engine.close();
    await server[Symbol.asyncDispose]();
  });

  test("that is killed loses its job to another within seconds, and none of its attempts", async () => {
    const title = TitleId.parse("killed");
    const { child, lines } = workInChild(`async (job) => { console.log(job.ref.chunk); await new Promise(none); }`);
    await engine.addGraph(samplePublish(title), [{ job: sampleEncode(title, "v0"), priority: 1 }]);
    await expect.poll(() => lines, patience).toEqual(["v0"]);
    const taken: { attempt: number; after: number }[] = [];
    let killedAt = performance.now();
    const worker = engine.workEncode(
      async (_, { attempt }) => void taken.push({ attempt, after: performance.now() - killedAt }),
      { slots: 1 },
    );
    // It renews its lock as long as it lives, so nobody else gets the job.
    await delay(6_000);
    expect(taken).toEqual([]);
    killedAt = performance.now();
    child.kill("SIGKILL");
    await expect.poll(() => taken, patience).toMatchObject([{ attempt: 1 }]);
    console.log(`redelivered after ${Math.round(taken[0]?.after ?? Number.NaN)} ms`);
    await worker.close();
    await engine.cancelTitle(title);
  });

  test("that was frozen learns that its job is lost, and its completion is refused", async () => {
    const title = TitleId.parse("frozen");
    const { child, lines } = workInChild(`async (job, { signal }) => {
      console.log("begun");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      console.log(signal.reason.message);
    }`);
    await engine.addGraph(samplePublish(title), [{ job: sampleEncode(title, "v0"), priority: 1 }]);
    await expect.poll(() => lines, patience).toEqual(["begun"]);
    child.kill("SIGSTOP");
    const finish = Promise.withResolvers<void>();
    let taken = 0;
    const worker = engine.workEncode(
      async () => {
        taken += 1;
        await finish.promise;
      },
      { slots: 1 },
    );
    await expect.poll(() => taken, patience).toBe(1);
    child.kill("SIGCONT");
    await expect.poll(() => lines.some((line) => line.endsWith("lock-lost")), patience).toBe(true);
    await expect.poll(() => lines.some((line) => line.startsWith("refused")), patience).toBe(true);
    // The job still belongs to the other one: nothing was published.
    expect(await engine.counts()).toMatchObject({ encode: { active: 1 }, publish: { waiting: 0, active: 0 } });
    finish.resolve();
    await expect.poll(async () => (await engine.counts()).publish.waiting, patience).toBe(1);
    expect(taken).toBe(1);
    await worker.close();
    await engine.cancelTitle(title);
  });
});
