import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Inspection, PlanSettings, planIdOf } from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import { createTokens } from "@gakuen/platform";
import { insertTitle, moveTitle, type Records, savePlan } from "@gakuen/records";
import type { Load } from "./load.ts";
import type { UploaderTask } from "./uploader.ts";

const secret = "a secret of this bench and nothing else";

/** Kaikeishi in a process of its own, until the stack is disposed of. */
export async function startUploader(databaseUrl: string, stack: AsyncDisposableStack) {
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

/** Writes the title and its plan, and queues its chunks with grants, as Kaichou does. */
export async function queueTitle(
  engine: Engine,
  records: Records,
  { title, plan, encodes }: Load,
  inspection: Inspection,
): Promise<void> {
  const planId = planIdOf(plan);
  const source = { kind: "file", path: "/film" } as const;
  await insertTitle(records, { id: title, name: title, source, settings: PlanSettings.parse({}), priority: 8 });
  await moveTitle(records, title, { from: ["waiting"], to: "preparing" });
  await savePlan(records, title, { inspection, plan, planId });
  const tokens = createTokens(secret);
  const signed = encodes.map(async ({ job, priority }) => {
    const grant = await tokens.sign("grant", job.ref, 3600);
    return { job: { ...job, grant }, priority };
  });
  await engine.addGraph({ title, plan: planId }, await Promise.all(signed));
}
