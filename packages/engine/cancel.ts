import type { TitleId } from "@gakuen/contracts";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineLog } from "./log.ts";
import { jobIdsOfTitle, type Queues, restingStates } from "./queues.ts";
import type { Signals } from "./signals.ts";

/** Longer than a dead worker keeps its job, so that such a job is met again when it waits. */
const GIVE_UP_AFTER_MS = 10_000;

/**
 * Removes all jobs of a title. First those that wait, with the parent: a worker that is told to stop then finds no other
 * chunk to begin, and no parent to fail. Then the running ones are told, and waited for; again and again, because one
 * may have come back to wait meanwhile, or have begun unnoticed.
 */
export async function cancelTitle(queues: Queues, signals: Signals, title: TitleId, log: EngineLog): Promise<void> {
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    await removeResting(queues, title).catch((error: unknown) => {
      // A chunk that ends at the same moment locks the same rows in another order (BullMQ's). The next round removes.
      if (!isDeadlock(error)) throw error;
    });
    await signals.cancel(title);
    const left = await findLeft(queues, title);
    if (left.length === 0) return;
    if (Date.now() > giveUpAt) {
      log.warn({ title, left }, "jobs of a cancelled title do not stop; they go on until they notice by themselves");
      return;
    }
    await delay(100);
  }
}

const isDeadlock = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "40P01";

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

/** Running jobs, and those that came to rest since. */
async function findLeft(queues: Queues, title: TitleId): Promise<string[]> {
  const left = [queues.prepare, queues.encode, queues.publish].map((queue) =>
    jobIdsOfTitle(queue, title, ["active", ...restingStates]),
  );
  return (await Promise.all(left)).flat();
}
