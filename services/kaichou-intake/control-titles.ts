import { setTimeout as delay } from "node:timers/promises";
import {
  type AddTitle,
  type ChangeTitle,
  PipelineError,
  type TitleId,
  type TitleState,
  titlePrefix,
} from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import { statSourceFile } from "@gakuen/ffmpeg";
import type { Log } from "@gakuen/platform";
import { backgroundPriority } from "@gakuen/pipeline";
import {
  deleteTitle,
  getPlan,
  getTitle,
  loosenSource,
  insertTitleFrom,
  moveTitle,
  type Records,
  setTitlePriority,
  type TitleRow,
} from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { countLostMedia } from "./lost-media.ts";
import { fileVersion } from "./locate-source.ts";
import { isObjectUrl, parseObjectAddress } from "./object-address.ts";
import { type ScheduleParts, scheduleEncode } from "./schedule-encode.ts";
import { parseSource } from "./source-address.ts";
import { nameFromSource, newTitleId } from "./title-name.ts";

export interface ControlParts {
  readonly records: Records;
  readonly engine: Engine;
  readonly store: ObjectStore;
  readonly log: Log;
  /** Base URL at which other Kaichous reach this very one; undefined where there are no others. */
  readonly ownUrl?: string | undefined;
}

const underWay: readonly Exclude<TitleState, "ready">[] = ["waiting", "preparing", "encoding"];
const unfinished: readonly Exclude<TitleState, "ready">[] = [...underWay, "paused"];

/** What the queue has not taken by then it takes later: nobody waits for it. */
const QUEUE_WITHIN_MS = 2000;

/**
 * Queues the preparation of a title whose row is written. Where the queue is away it is only late: the reconciler queues
 * what is missing, and a caller that was told of a failure would take the source in twice.
 */
async function queuePrepare({ engine, log }: ControlParts, title: TitleId, priority: number): Promise<void> {
  const late = (error?: unknown): void =>
    log.warn({ title, err: error }, "the queue is away; the title is queued later");
  const queued = engine.addPrepare({ title }, { priority: priority + 1 }).then(() => true);
  const waited = delay(QUEUE_WITHIN_MS, false, { ref: false });
  await Promise.race([queued, waited]).then((done) => done || late(), late);
  queued.catch(() => undefined);
}

/** Takes a source in. The row is written first; if we die before the job is queued, the reconciler queues it. */
export async function addTitle(parts: ControlParts, wish: AddTitle): Promise<TitleId> {
  const { records, log, ownUrl } = parts;
  const source = parseSource(wish.source);
  const name = wish.name ?? nameFromSource(source);
  const id = newTitleId(name);
  const object = isObjectUrl(wish.source) ? parseObjectAddress(wish.source).url : null;
  const local = source.kind === "file" ? { owner: ownUrl ?? null, version: await versionOf(source.path) } : undefined;
  const title = { id, name, source, settings: wish.settings, priority: wish.priority };
  await insertTitleFrom(records, title, { object, owner: null, version: null, ...local, firm: false });
  await queuePrepare(parts, id, wish.priority);
  log.info({ title: id, source: wish.source }, "title taken in");
  return id;
}

/** By it other Kaichous know the file where they see it too. What is wrong with it is told when it is prepared. */
async function versionOf(path: string): Promise<string | null> {
  const facts = await statSourceFile(path).catch(() => undefined);
  return facts ? fileVersion(facts.size, facts.changedAt) : null;
}

/** Stops a title: nothing of it is encoded any more; what is stored stays for a retry. */
export async function cancelTitle(parts: ControlParts, id: TitleId): Promise<void> {
  await stopTitle(parts, id, { from: unfinished, to: "cancelled" });
}

/** Puts a title down until it is resumed: nothing of it is encoded meanwhile, what is stored still plays. */
export async function pauseTitle(parts: ControlParts, id: TitleId): Promise<void> {
  await stopTitle(parts, id, { from: underWay, to: "paused" });
}

async function stopTitle(
  { records, engine, log }: ControlParts,
  id: TitleId,
  move: { readonly from: typeof unfinished; readonly to: "cancelled" | "paused" },
): Promise<void> {
  const row = await existing(records, id);
  if (row.published || !(await moveTitle(records, id, move)))
    throw wrongState(row, move.to, `only a title that is not finished can be ${move.to}`);
  await engine.cancelTitle(id);
  log.info({ title: id }, `title ${move.to}`);
}

/** Takes a paused title up again where it was put down. */
export async function resumeTitle(parts: ControlParts & ScheduleParts, id: TitleId): Promise<void> {
  const { records, engine, log } = parts;
  const row = await existing(records, id);
  if (row.state !== "paused") throw wrongState(row, "resumed", "only a paused title can be resumed");
  // A pause may have been cut short: a job of before would stand in the way.
  await engine.cancelTitle(id);
  if (!(await moveTitle(records, id, { from: ["paused"], to: row.plan ? "encoding" : "waiting" }))) return;
  if (row.plan) await scheduleEncode(parts, row);
  else await queuePrepare(parts, id, row.priority);
  log.info({ title: id }, "title resumed");
}

/** Puts a title's waiting chunks before or behind those of other titles. */
export async function changeTitle(
  { records, engine, log }: ControlParts,
  id: TitleId,
  { priority }: ChangeTitle,
): Promise<void> {
  const row = await existing(records, id);
  await setTitlePriority(records, id, priority);
  const plan = row.plan && !row.published ? await getPlan(records, id, row.plan) : undefined;
  for (const chunk of plan?.chunks ?? []) {
    if (!row.plan || !plan) break;
    const ref = { title: id, plan: row.plan, chunk: chunk.id };
    await engine.setEncodePriority(ref, backgroundPriority(plan, chunk, priority));
  }
  log.info({ title: id, priority }, "priority changed");
}

/**
 * Starts a failed or cancelled title again; what is stored is not encoded again. A ready title of which the store has lost
 * something is completed in the same way, and plays meanwhile.
 */
export async function retryTitle(parts: ControlParts, id: TitleId): Promise<void> {
  const { records, engine, store, log } = parts;
  const row = await existing(records, id);
  const ready = row.published && row.state === "encoding";
  const lost = ready ? await countLostMedia(records, store, row) : 0;
  if (row.state !== "failed" && row.state !== "cancelled" && lost === 0)
    throw wrongState(
      row,
      "retried",
      ready ? "nothing of it is missing in the store" : "only a failed or cancelled title can be retried",
    );
  // Left-overs first: a job of the old run would stand in the way of the new one's.
  await engine.cancelTitle(id);
  await engine.clearFailures(id);
  await loosenSource(records, id);
  await moveTitle(records, id, { from: ready ? ["encoding"] : ["failed", "cancelled"], to: "waiting" });
  await queuePrepare(parts, id, row.priority);
  log.info({ title: id, lost }, "title retried");
}

/** Fails a title whose source is not what was planned, or not there any more: no encoder can do anything about it. */
export async function failLostSource(
  { records, engine, log }: ControlParts,
  id: TitleId,
  { code, message }: PipelineError,
): Promise<void> {
  const error = { code, message };
  if (!(await moveTitle(records, id, { from: underWay, to: "failed", error }))) return;
  log.error({ title: id, code }, `title failed: ${message}`);
  await engine.cancelTitle(id);
}

/** Removes a title and every object of it. Interrupted, it is finished by the reconciler. */
export async function removeTitle(parts: ControlParts, id: TitleId): Promise<void> {
  const { records, engine, store, log } = parts;
  const row = await existing(records, id);
  // From here on the uploader takes nothing for this title.
  await moveTitle(records, id, { from: [...unfinished, "failed", "cancelled"], to: "removing" });
  await engine.cancelTitle(id);
  await engine.clearFailures(id);
  const objects = await store.deletePrefix(titlePrefix(id));
  await deleteTitle(records, id);
  log.info({ title: id, name: row.name, objects }, "title removed");
}

async function existing(records: Records, id: TitleId): Promise<TitleRow> {
  const row = await getTitle(records, id);
  if (row) return row;
  throw new PipelineError("title.not-found", `there is no title ${id}`);
}

function wrongState(row: TitleRow, wish: string, rule: string): PipelineError {
  const state: TitleState = row.published ? "ready" : row.state;
  return new PipelineError("title.wrong-state", `${row.id} is ${state} and cannot be ${wish}: ${rule}`);
}
