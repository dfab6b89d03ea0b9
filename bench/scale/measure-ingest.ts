import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlanSettings, planIdOf } from "@gakuen/contracts";
import { type Engine, openEngine } from "@gakuen/engine";
import { createTokens } from "@gakuen/platform";
import { insertTitle, moveTitle, openRecords, type Records, savePlan } from "@gakuen/records";
import { inspected } from "../../packages/pipeline/sample-inspection.ts";
import { makeFakeFfmpeg } from "./fake-media.ts";
import { type Load, titleOf } from "./load.ts";
import { measureFleet, printFleet } from "./measure-fleet.ts";
import { postgresServer } from "./queue-servers.ts";
import type { UploaderTask } from "./uploader.ts";

const secret = "a secret of this bench and nothing else";
/** Of the recorded encodes: bytes are not scaled, so their rate would be twelve times as high otherwise. */
const SCALE = 1 / 12;

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none };

/** Whole encoders with a stand-in for ffmpeg, and a whole Kaikeishi with PostgreSQL and a folder as the store. */
export async function measureIngest(short: boolean): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await postgresServer());
  const engine = stack.use(await openEngine({ url: server.url, log }));
  const records = stack.use(await openRecords({ url: server.url, log }));
  const uploader = await startUploader(server.url, stack);
  const film = titleOf("film", 3 * 3600, { sound: false });
  const longest = film.encodes.map(({ job }) => job).reduce((a, b) => (a.chunk.segments >= b.chunk.segments ? a : b));
  if (longest.kind !== "video") throw new Error("the film has no video");
  const ffmpeg = stack.use(await makeFakeFfmpeg(longest, SCALE));
  await queueFilm(engine, records, film);
  console.log(
    `\nwith Otetsudai's and Kaikeishi's own work, ${(ffmpeg.bytes / 1e6).toFixed(1)} MB per chunk into a folder, encodes at a twelfth of their length:`,
  );
  const whole = { ffmpeg: ffmpeg.path, kaikeishi: uploader.url };
  const look = { warmUpMs: 4_000, windowMs: 20_000 };
  for (const fleet of [{ hosts: 2, slots: 4 }, ...(short ? [] : [{ hosts: 8, slots: 8 }])]) {
    const before = await uploader.cpuMs();
    const found = await measureFleet(server, fleet, { scale: SCALE, whole }, look);
    printFleet(fleet, found);
    const perChunk =
      (((await uploader.cpuMs()) - before) / found.chunks) * (found.wallMs / (found.wallMs + look.warmUpMs));
    const perMegabyte = perChunk / (ffmpeg.bytes / 1e6);
    console.log(`     and ${perChunk.toFixed(0)} ms of Kaikeishi's CPU per chunk, ${perMegabyte.toFixed(1)} ms per MB`);
  }
}

async function startUploader(databaseUrl: string, stack: AsyncDisposableStack) {
  const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const child = fork(new URL("./uploader.ts", import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  stack.defer(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const ask = async <T>(message: UploaderTask | "mark"): Promise<T> => {
    const answered = once(child, "message");
    child.send(message);
    return ((await answered) as [T])[0];
  };
  const url = await ask<string>({ databaseUrl, folder, secret });
  return { url, cpuMs: () => ask<number>("mark") };
}

async function queueFilm(engine: Engine, records: Records, { title, plan, encodes }: Load): Promise<void> {
  const planId = planIdOf(plan);
  const source = { kind: "file", path: "/films/film.mp4" } as const;
  await insertTitle(records, { id: title, name: title, source, settings: PlanSettings.parse({}), priority: 8 });
  await moveTitle(records, title, { from: ["waiting"], to: "preparing" });
  await savePlan(records, title, { inspection: inspected({}, []), plan, planId });
  const tokens = createTokens(secret);
  const signed = encodes.map(async ({ job, priority }) => {
    const grant = await tokens.sign("grant", job.ref, 3600);
    return { job: { ...job, grant }, priority };
  });
  await engine.addGraph({ title, plan: planId }, await Promise.all(signed));
}
