import { moveTitle, titlesInStates } from "@gakuen/records";
import { type ControlParts, removeTitle } from "./control-titles.ts";
import { type ScheduleParts, scheduleEncode } from "./schedule-encode.ts";

export type ReconcileParts = ControlParts & ScheduleParts;

/**
 * Makes the queue agree with the records. State is written before jobs, so after a crash between the two a job may be
 * missing; a failed job is a title's failure that nobody has written down yet; a removal may have been cut short.
 * Safe at any time and in any number of processes: each step does nothing when there is nothing to do.
 */
export async function reconcile(parts: ReconcileParts): Promise<void> {
  await recordFailures(parts);
  const { records, engine, log } = parts;
  for (const row of await titlesInStates(records, ["waiting", "preparing", "encoding", "removing"])) {
    if (row.state === "removing") await removeTitle(parts, row.id);
    else if (row.state !== "encoding") {
      if (await engine.hasPrepare(row.id)) continue;
      log.info({ title: row.id }, "preparation queued again");
      await engine.addPrepare({ title: row.id }, { priority: row.priority + 1 });
    } else if (row.plan && !row.published && !(await engine.hasPublish({ title: row.id, plan: row.plan }))) {
      log.info({ title: row.id, plan: row.plan }, "chunks queued again");
      await scheduleEncode(parts, row);
    }
  }
}

/** A title one of whose jobs failed for good is failed: its other jobs are called off. */
export async function recordFailures({ records, engine, log }: ControlParts): Promise<void> {
  for (const failure of await engine.failures()) {
    const { title, code, message } = failure;
    const failed = await moveTitle(records, title, {
      from: ["waiting", "preparing", "encoding"],
      to: "failed",
      error: { code, message },
    });
    if (failed) log.error({ title, job: failure.jobId, code }, `title failed: ${message}`);
    await engine.cancelTitle(title);
    await engine.clearFailures(title);
  }
}
