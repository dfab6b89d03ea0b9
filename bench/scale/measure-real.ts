import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { PlanSettings } from "@gakuen/contracts";
import { type Engine, openEngine } from "@gakuen/engine";
import { inspectSource } from "@gakuen/ffmpeg";
import { planTitle } from "@gakuen/pipeline";
import { openRecords } from "@gakuen/records";
import { sample } from "../../apps/gakuen/sample.ts";
import { machineCpu } from "./cpu.ts";
import { loadOf } from "./load.ts";
import { postgresServer } from "./queue-servers.ts";
import { queueTitle, startUploader } from "./uploads.ts";

/** The sample film this often, so that the last chunks do not count for much. */
const TITLES = 2;

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none };

/** Two encoders of one slot each against one, with the real ffmpeg; and two ffmpegs against one, without us. */
export async function measureReal(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await postgresServer());
  const engine = stack.use(await openEngine({ url: server.url, log }));
  const records = stack.use(await openRecords({ url: server.url, log }));
  const uploader = await startUploader(server.url, stack);
  const tools = { ffmpeg: "ffmpeg", ffprobe: "ffprobe", version: "" };
  const signal = AbortSignal.timeout(60_000);
  const inspection = await inspectSource({ kind: "file", path: sample.path }, { tools, signal });
  // One rung is one thread, and a slow preset leaves ffmpeg's start and the uploads little of the time.
  const { plan } = planTitle(inspection, PlanSettings.parse({ rungs: [360], preset: "slow" }));
  const whole = { ffmpeg: tools.ffmpeg, segmentMs: 0, kaikeishi: uploader.url };
  const walls: number[] = [];
  for (const encoders of [1, 2]) {
    const before = machineCpu();
    for (let title = 0; title < TITLES; title++) {
      const name = `real-${encoders}-${title}`;
      await queueTitle(engine, records, loadOf(name, plan, sample.path), inspection);
    }
    const children = Array.from({ length: encoders }, () =>
      fork(new URL("./encoders.ts", import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
    );
    const ready = children.map((child) => once(child, "message"));
    const begin = performance.now();
    for (const child of children) child.send({ url: server.url, hosts: 1, slots: 1, scale: 1, whole });
    await Promise.all(ready);
    while (await hasWork(engine)) await delay(100);
    walls.push((performance.now() - begin) / 1000);
    const after = machineCpu();
    const idle = (after.idleMs - before.idleMs) / (after.idleMs - before.idleMs + after.usedMs - before.usedMs);
    console.log(
      `real ffmpeg, ${encoders} encoder${encoders > 1 ? "s" : ""} of one slot: ${walls.at(-1)?.toFixed(1)} s, ${(100 * idle).toFixed(0)} % of the machine idle meanwhile`,
    );
    const ended = children.map((child) => once(child, "exit"));
    for (const child of children) child.send("stop");
    await Promise.all(ended);
  }
  const [one = Number.NaN, two = Number.NaN] = walls;
  const alone = await measureCopies(1);
  const together = await measureCopies(2);
  console.log(
    `two encoders are ${(one / two).toFixed(2)} times as fast as one (aim ≥ 1.9), two bare ffmpegs ${((2 * alone) / together).toFixed(2)} times`,
  );
}

/** Seconds that so many equal encodes of one thread take side by side. */
async function measureCopies(copies: number): Promise<number> {
  const args = ["-v", "error", "-threads", "1", "-i", sample.path, "-an", "-vf", "scale=640:360", "-c:v", "libx264"];
  const rest = ["-preset", "slow", "-threads", "1", "-f", "null", "-"];
  const begin = performance.now();
  const runs = Array.from({ length: copies }, () => once(spawn("ffmpeg", [...args, ...rest]), "exit"));
  await Promise.all(runs);
  return (performance.now() - begin) / 1000;
}

async function hasWork(engine: Engine): Promise<boolean> {
  const { encode } = await engine.counts();
  return encode.waiting + encode.active > 0;
}
