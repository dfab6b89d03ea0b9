import { PipelineError, planPrefix, toPipelineError } from "@gakuen/contracts";
import type { Log } from "@gakuen/platform";
import {
  forgetReplica,
  getTitle,
  type Records,
  releaseReplica,
  renewReplica,
  replicaCopied,
  replicaFailed,
  type ReplicaTask,
  takeReplica,
} from "@gakuen/records";
import { type ObjectStore, openStore } from "@gakuen/storage";
import { copyPlan } from "./replicate-title.ts";

export interface ReplicationParts {
  readonly records: Records;
  readonly store: ObjectStore;
  /** URL of the second store. */
  readonly replicaUrl: string;
  readonly log: Log;
  /** How often the records are looked at when nobody says that there is something to do; 10 s by default. */
  readonly everyMs?: number;
}

const EVERY_MS = 10_000;
/** A third of what a lease lasts. */
const RENEW_MS = 10_000;
const FIRST_WAIT_SECONDS = 5;
const LONGEST_WAIT_SECONDS = 300;

/**
 * Keeps a second store equal to the first: what is published is copied there, what is removed is removed there. That is
 * not part of publishing: a second store that is away fails no title, its copies are tried again until they are there.
 *
 * Any number of processes may do this at once; the records say who copies what, by a lease that ends with its holder.
 */
export function startReplication(parts: ReplicationParts): { stop(): Promise<void> } {
  const { records, log, everyMs = EVERY_MS } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  let replica: Promise<ObjectStore> | undefined;
  const open = (): Promise<ObjectStore> =>
    (replica ??= openStore(parts.replicaUrl).catch((error: unknown) => {
      replica = undefined;
      throw error;
    }));

  const doAll = async (): Promise<void> => {
    for (;;) {
      const task = signal.aborted ? undefined : await takeReplica(records, parts.replicaUrl);
      if (!task) return;
      await doTask(parts, open, task, signal);
    }
  };
  let running: Promise<void> | undefined;
  let again = false;
  const run = (): void => {
    again = true;
    running ??= (async () => {
      while (again && !signal.aborted) {
        again = false;
        await doAll().catch((error: unknown) => log.warn({ err: error }, "copies cannot be looked after; tried again"));
      }
      running = undefined;
    })();
  };
  const unsubscribe = records.events.subscribe((event) => {
    if (event.kind === "published" || event.kind === "resync") run();
  });
  const timer = setInterval(run, everyMs);
  run();
  return {
    async stop() {
      stopping.abort(new PipelineError("encode.cancelled", "this process is being stopped"));
      unsubscribe();
      clearInterval(timer);
      await running;
    },
  };
}

async function doTask(
  { records, store, replicaUrl, log }: ReplicationParts,
  open: () => Promise<ObjectStore>,
  task: ReplicaTask,
  signal: AbortSignal,
): Promise<void> {
  const { title, plan, work } = task;
  const lost = new AbortController();
  const renewal = setInterval(() => {
    renewReplica(records, task).then(
      (held) => held || lost.abort(new PipelineError("encode.cancelled", "another process has this task")),
      () => undefined,
    );
  }, RENEW_MS);
  try {
    const replica = await open();
    if (work === "remove") {
      const objects = await replica.deletePrefix(planPrefix(title, plan));
      await forgetReplica(records, task);
      log.info({ title, plan, objects }, "title removed from the second store");
      return;
    }
    const copied = await copyPlan({ records, store, replica }, task, AbortSignal.any([signal, lost.signal]));
    await replicaCopied(records, task, copied);
    log.info({ title, plan, ...copied }, "title copied to the second store");
  } catch (error) {
    // Whoever has it now may have removed all of it before our last object came.
    if (lost.signal.aborted && !(await getTitle(records, title))) {
      await (await open()).deletePrefix(planPrefix(title, plan));
      return;
    }
    if (signal.aborted) {
      await releaseReplica(records, task);
      return;
    }
    const { code, message } = toPipelineError(error);
    const wait = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** task.failures);
    await replicaFailed(records, task, { code, message }, wait);
    log.warn({ err: error, title, plan, replica: replicaUrl, wait }, `${work} in the second store failed; tried again`);
  } finally {
    clearInterval(renewal);
  }
}
