import { PipelineError, toPipelineError } from "@gakuen/contracts";
import { getTitle, moveTitle, sourceFacts, titlesInStates, type TitleRow } from "@gakuen/records";
import { type ControlParts, failLostSource, removeTitle } from "./control-titles.ts";
import { demandUnchanged, type LocateParts, locateSource, sourceName } from "./locate-source.ts";
import { type ScheduleParts, scheduleEncode } from "./schedule-encode.ts";

export type ReconcileParts = ControlParts & ScheduleParts & LocateParts;

/**
 * Makes the queue agree with the records. State is written before jobs, so after a crash between the two a job may be
 * missing; a failed job is a title's failure that nobody has written down yet; a removal may have been cut short.
 * Safe at any time and in any number of processes: each step does nothing when there is nothing to do.
 */
export async function reconcile(parts: ReconcileParts): Promise<void> {
  await recordFailures(parts);
  const { records, log } = parts;
  for (const row of await titlesInStates(records, ["waiting", "preparing", "encoding", "removing"])) {
    try {
      await reconcileTitle(parts, row);
    } catch (error) {
      // Another Kaichou was quicker; or something is wrong with this one title, and the others need not wait for it.
      if (toPipelineError(error).code !== "title.not-found")
        log.error({ err: error, title: row.id }, "a title could not be reconciled; it is tried again");
    }
  }
}

async function reconcileTitle(parts: ReconcileParts, row: TitleRow): Promise<void> {
  const { records, engine, log } = parts;
  if (row.state === "removing") await removeTitle(parts, row.id);
  else if (row.state !== "encoding") {
    if (await engine.hasPrepare(row.id)) return;
    log.info({ title: row.id }, "preparation queued again");
    await engine.addPrepare({ title: row.id }, { priority: row.priority + 1 });
  } else if (row.plan && !row.published) {
    await noticeChange(parts, row);
    if (await engine.hasPublish({ title: row.id, plan: row.plan })) return;
    // Its last job may have ended since the list was read.
    const now = await getTitle(records, row.id);
    if (now?.state !== "encoding" || now.published) return;
    log.info({ title: row.id, plan: row.plan }, "chunks queued again");
    await scheduleEncode(parts, now);
  }
}

/** Encoders in our own process read files in place: nobody else would see that one was replaced. */
async function noticeChange(parts: ReconcileParts, row: TitleRow): Promise<void> {
  if (row.source.kind !== "file") return;
  const facts = await sourceFacts(parts.records, row.id);
  if (!facts.firm || (facts.owner !== null && facts.owner !== parts.ownUrl)) return;
  const located = await locateSource(parts, row.source, facts).catch(() => undefined);
  try {
    if (located?.at === "here") demandUnchanged(sourceName(row, facts), facts, located.version);
  } catch (error) {
    if (error instanceof PipelineError) await failLostSource(parts, row.id, error);
  }
}

/** A title one of whose jobs failed for good is failed: its other jobs are called off. */
export async function recordFailures({ records, engine, log }: ControlParts): Promise<void> {
  for (const failure of await engine.failures()) {
    const { title, code } = failure;
    const message = withoutSignatures(failure.message);
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

/** ffmpeg names the address that it could not read; what signs it is nobody's business. */
const withoutSignatures = (message: string): string =>
  message.replaceAll(/([?&](?:token|X-Amz-[A-Za-z-]+)=)[^\s&:'"]+/g, "$1…");
