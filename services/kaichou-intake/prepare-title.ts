import { type Inspection, PipelineError, PlanSettings, type SourceAddress, type TitleId } from "@gakuen/contracts";
import { openSource } from "@gakuen/ffmpeg";
import { planTitle } from "@gakuen/pipeline";
import type { Log } from "@gakuen/platform";
import {
  getPlan,
  getTitle,
  moveTitle,
  savePlan,
  setSourceVersion,
  type SourceFacts,
  sourceFacts,
  type TitleRow,
} from "@gakuen/records";
import { demandUnchanged, type LocateParts, sourceName } from "./locate-source.ts";
import { readableSource } from "./readable-source.ts";
import { type ScheduleParts, scheduleEncode } from "./schedule-encode.ts";

export interface PrepareParts extends ScheduleParts, LocateParts {
  /** Finds out what a source is; errors: every `source.*` code. */
  readonly inspect: (source: SourceAddress, signal: AbortSignal) => Promise<Inspection>;
  readonly log: Log;
}

/**
 * What is it, what shall it become: inspects a title's source, plans it, and puts the plan's chunks into the queue.
 * May run twice; every step finds what it did before.
 */
export async function prepareTitle(parts: PrepareParts, id: TitleId, signal: AbortSignal): Promise<void> {
  const { records } = parts;
  const row = await getTitle(records, id);
  if (!row || !(await moveTitle(records, id, { from: ["waiting", "preparing"], to: "preparing" }))) return;

  const facts = await sourceFacts(records, id);
  if (row.plan) await resumePlanned(parts, row, facts, signal);
  else if (!(await planNew(parts, row, facts, signal))) return;

  const planned = await getTitle(records, id);
  if (planned?.state === "encoding") await scheduleEncode(parts, planned);
}

/** False when the title was cancelled meanwhile. */
async function planNew(parts: PrepareParts, row: TitleRow, facts: SourceFacts, signal: AbortSignal): Promise<boolean> {
  const { records, log } = parts;
  const inspection = await reading(parts, row, facts, signal, (address) => parts.inspect(address, signal));
  const { plan, planId } = planTitle(inspection, PlanSettings.parse(row.settings));
  if (!(await savePlan(records, row.id, { inspection, plan, planId }))) return false;
  log.info({ title: row.id, plan: planId, tracks: plan.tracks.length, chunks: plan.chunks.length }, "planned");
  return true;
}

/** A retried title keeps its plan, and what is stored of it, as long as the source is still what was planned. */
async function resumePlanned(
  parts: PrepareParts,
  row: TitleRow,
  facts: SourceFacts,
  signal: AbortSignal,
): Promise<void> {
  const plan = row.plan && (await getPlan(parts.records, row.id, row.plan));
  const fingerprint = await reading(parts, row, facts, signal, async (address) =>
    (await openSource(address, { signal })).fingerprint(),
  );
  if (!plan || fingerprint !== plan.fingerprint)
    throw new PipelineError(
      "source.changed",
      "the source is not the one that was planned; remove the title and add the source again",
    );
  await moveTitle(parts.records, row.id, { from: ["preparing"], to: "encoding" });
}

/**
 * Reads a title's source and demands that it is the same before and after, which is then what the title is made from.
 * Errors name the source as its owner knows it: the address that is read may hold a signature.
 */
async function reading<T>(
  parts: PrepareParts,
  row: TitleRow,
  facts: SourceFacts,
  signal: AbortSignal,
  read: (address: SourceAddress) => Promise<T>,
): Promise<T> {
  const name = sourceName(row, facts);
  const source = await readableSource(parts, row, facts, signal);
  demandUnchanged(name, facts, source.version);
  const result = await read(source.address).catch((error: unknown) => {
    throw named(error, source.address, name);
  });
  const { version } = await readableSource(parts, row, facts, signal);
  demandUnchanged(name, { ...facts, version: source.version, firm: true }, version);
  await setSourceVersion(parts.records, row.id, version);
  return result;
}

function named(error: unknown, address: SourceAddress, name: string): unknown {
  if (!(error instanceof PipelineError) || address.kind === "file") return error;
  const { origin, pathname } = new URL(address.url);
  const message = error.message.replaceAll(address.url, name).replaceAll(origin + pathname, name);
  return new PipelineError(error.code, message, { cause: error });
}
