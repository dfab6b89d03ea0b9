import type { TitleId } from "@gakuen/contracts";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineLog } from "./log.ts";
import { jobIdsOfTitle, type Queues, restingStates } from "./queues.ts";
import type { Signals } from "./signals.ts";

/** Longer than a dead worker keeps its job, so that such a job is met again when it waits. */
const GIVE_UP_AFTER_MS = 10_000;

/**
 * Removes all jobs of a title. Those that run are told to stop and waited for. They are told before the others are
 * removed, which takes a second for thousands, and again after: a worker that stopped may have begun another meanwhile.
 */
export async function cancelTitle(queues: Queues, signals: Signals, title: TitleId, log: EngineLog): Promise<void> {
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    await signals.cancel(title);
    await removeResting(queues, title);
    const left = await findLeft(queues, title);
    if (left.length === 0) return;
    if (Date.now() > giveUpAt) {
      log.warn({ title, left }, "jobs of a cancelled title do not stop; they go on until they notice by themselves");
      return;
    }
    await delay(100);
  }
}

async function removeResting({ prepare, encode, publish }: Queues, title: TitleId): Promise<void> {
  for (const id of await jobIdsOfTitle(publish, title, restingStates)) {
    // One statement for all waiting chunks of a graph. Then the parent without its children: with them it would not
    // be removed while one of them runs.
    const job = await publish.getJob(id);
    await job?.removeUnprocessedChildren();
    await publish.remove(id, { removeChildren: false });
  }
  for (const queue of [encode, prepare]) {
    for (const id of await jobIdsOfTitle(queue, title, restingStates))
      await queue.remove(id, { removeChildren: false });
  }
}

/** Running jobs, and those that came to rest since: a chunk that stops fails its parent, which then lies there. */
async function findLeft(queues: Queues, title: TitleId): Promise<string[]> {
  const left = [queues.prepare, queues.encode, queues.publish].map((queue) =>
    jobIdsOfTitle(queue, title, ["active", ...restingStates]),
  );
  return (await Promise.all(left)).flat();
}
