import { type Inspection, PipelineError, PlanSettings, type SourceAddress, type TitleId } from "@gakuen/contracts";
import { openSource } from "@gakuen/ffmpeg";
import { planTitle } from "@gakuen/pipeline";
import type { Log } from "@gakuen/platform";
import { getPlan, getTitle, moveTitle, savePlan, type TitleRow } from "@gakuen/records";
import { type ScheduleParts, scheduleEncode } from "./schedule-encode.ts";

export interface PrepareParts extends ScheduleParts {
  /** Finds out what a source is; errors: every `source.*` code. */
  readonly inspect: (source: SourceAddress, signal: AbortSignal) => Promise<Inspection>;
  readonly log: Log;
}

/**
 * What is it, what shall it become: inspects a title's source, plans it, and puts the plan's chunks into the queue.
 * May run twice; every step finds what it did before.
 */
export async function prepareTitle(parts: PrepareParts, id: TitleId, signal: AbortSignal): Promise<void> {
  const { records, log } = parts;
  const row = await getTitle(records, id);
  if (!row || !(await moveTitle(records, id, { from: ["waiting", "preparing"], to: "preparing" }))) return;

  if (row.plan) await resumePlanned(parts, row, signal);
  else {
    const inspection = await parts.inspect(row.source, signal);
    const { plan, planId } = planTitle(inspection, PlanSettings.parse(row.settings));
    if (!(await savePlan(records, id, { inspection, plan, planId }))) return;
    log.info({ title: id, plan: planId, tracks: plan.tracks.length, chunks: plan.chunks.length }, "planned");
  }

  const planned = await getTitle(records, id);
  if (planned?.state === "encoding") await scheduleEncode(parts, planned);
}

/** A retried title keeps its plan, and what is stored of it, as long as the source is still what was planned. */
async function resumePlanned({ records }: PrepareParts, row: TitleRow, signal: AbortSignal): Promise<void> {
  const plan = row.plan && (await getPlan(records, row.id, row.plan));
  const source = await openSource(row.source, { signal });
  if (!plan || (await source.fingerprint()) !== plan.fingerprint)
    throw new PipelineError(
      "source.changed",
      "the source is not the one that was planned; remove the title and add the source again",
    );
  await moveTitle(records, row.id, { from: ["preparing"], to: "encoding" });
}
