import {
  type EncodeProgress,
  isOutage,
  isViewerPriority,
  PipelineError,
  type TitleId,
  type TrackId,
  titleOfJobId,
  toPipelineError,
} from "@gakuen/contracts";
import { type Job, UnrecoverableError, WaitingError } from "bullmq";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Backend } from "./backend.ts";
import { writeReason } from "./failure-reason.ts";
import type { EngineLog } from "./log.ts";
import { sendLatest } from "./send-latest.ts";
import type { Wanted } from "./signals.ts";

export interface HandlerContext {
  /** Fires when the title is cancelled, another worker may have the job, or the worker is being closed. */
  readonly signal: AbortSignal;
  /** 1 for the first try; a hand-back and the death of a worker are not counted. */
  readonly attempt: number;
  /** A viewer waited for this job when it was taken. */
  readonly hurry: boolean;
  /** Tells of each track that a viewer waits for, at once of those that were waited for before; once per track. */
  onWanted(listener: (track: TrackId) => void): void;
  /** As often as wanted: the newest is sent on, once in some seconds. */
  report(progress: EncodeProgress): void;
}

/** Does a job; may be called again for one that was done before, or is being done elsewhere at the same time. */
export type Handler<T> = (job: T, context: HandlerContext) => Promise<void>;

export interface WorkerHandle {
  /**
   * Takes no more jobs and finishes those in hand within `graceMs` (default 0). Then aborts their signals and gives
   * them back to the queue: another worker takes them at once, and none of their attempts is used up.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** How long a dead worker's job stays with it. */
const LOCK_MS = 4_000;
const RENEW_MS = 1_300;
/** How often somebody looks for jobs of dead workers: one of them is begun anew after 4 to 8 s. */
const STALLED_CHECK_MS = 2_000;
const PROGRESS_MS = 10_000;
/** A handler that does not listen to its signal is left behind after this. */
const DEAF_AFTER_MS = 5_000;

/** Why a job was told to stop. */
type Stop = "cancelled" | "lock-lost" | "handed-back";

interface Task {
  readonly jobId: string;
  /** What the job was taken with; its lock is renewed with it. */
  readonly token: string;
  readonly abort: AbortController;
  stopped: Stop | undefined;
  /** Tracks that viewers came to wait for. */
  readonly wanted: Set<TrackId>;
  tellWanted: (track: TrackId) => void;
}

export interface WorkerOptions<T> {
  readonly queue: string;
  readonly name: string;
  readonly concurrency: number;
  readonly backend: Backend;
  readonly log: EngineLog;
  /** Parses a job's data. */
  readonly parse: (data: unknown) => T;
  readonly handler: Handler<T>;
  /** Subscribes to titles that are cancelled. */
  readonly onCancel: (listener: (title: TitleId) => void) => () => void;
  /** Subscribes to news that a viewer waits for a job of this queue. */
  readonly onHurry: (listener: (wanted: Wanted) => void) => () => void;
  /** Called after a job failed for good. */
  readonly failed: (title: TitleId) => Promise<void>;
}

/** Works on a queue until it is closed. */
export function startWorker<T>(options: WorkerOptions<T>): WorkerHandle {
  const { log } = options;
  const tasks = new Set<Task>();
  const lately = new LatelyWanted();
  let handingBack = false;

  const stop = (task: Task, why: Stop): void => {
    if (task.stopped !== undefined) return;
    task.stopped = why;
    task.abort.abort(new PipelineError("encode.cancelled", `${task.jobId}: ${why}`));
  };

  // One statement for all jobs in hand: with a hundred encoders renewals are most of what the database hears.
  const renew = async (): Promise<void> => {
    const held = [...tasks].filter((task) => task.stopped !== "lock-lost");
    if (held.length === 0) return;
    try {
      const ids = held.map((task) => task.jobId);
      const tokens = held.map((task) => task.token);
      const lost = new Set(await worker.extendJobLocks(ids, tokens, LOCK_MS));
      for (const task of held) if (lost.has(task.jobId) && tasks.has(task)) stop(task, "lock-lost");
    } catch (error) {
      // The database is away: nobody else can take the jobs either.
      log.debug({ err: error, queue: options.queue }, "could not renew the locks of jobs");
    }
  };

  const run = async (job: Job, token: string): Promise<void> => {
    const jobId = job.id ?? "";
    const task: Task = {
      jobId,
      token,
      abort: new AbortController(),
      stopped: undefined,
      wanted: lately.of(jobId),
      tellWanted: () => undefined,
    };
    // Frozen long enough to lose a job, this process may be given it again while the first run does not know yet.
    for (const other of tasks) if (other.jobId === jobId) stop(other, "lock-lost");
    tasks.add(task);
    const progress = sendLatest((value: EncodeProgress) => job.updateProgress(value), PROGRESS_MS);
    try {
      if (handingBack) stop(task, "handed-back");
      task.abort.signal.throwIfAborted();
      await options.handler(options.parse(job.data), {
        signal: task.abort.signal,
        attempt: job.attemptsMade + 1,
        hurry: isHurried(job),
        onWanted: (listener) => {
          task.tellWanted = listener;
          for (const track of task.wanted) listener(track);
        },
        report: progress.send,
      });
    } catch (error) {
      await settle(job, token, task, error);
    } finally {
      progress.end();
      tasks.delete(task);
    }
  };

  const { Worker } = options.backend.classes;
  const worker = new Worker(options.queue, (job, token = "") => run(job, token), {
    ...options.backend.options,
    name: options.name,
    concurrency: options.concurrency,
    lockDuration: LOCK_MS,
    // Done above: BullMQ knows locks by job and not by token, and takes a renewal that failed for one that is late.
    skipLockRenewal: true,
    // Writes to every job that runs, twice, for all workers together: nothing else that idle encoders have PostgreSQL do costs as much.
    stalledInterval: STALLED_CHECK_MS,
    // Seconds after which an idle worker looks for jobs even if it heard of none.
    drainDelay: 1,
    // A killed worker says nothing against its job.
    maxStalledCount: 1_000_000,
    runRetryDelay: 500,
  });
  worker.on("error", (error) => {
    if (isRefusal(error)) log.info({ reason: error.message }, "a job was finished that is not ours any more");
    else log.warn({ err: error, queue: options.queue }, "a worker of the queue failed");
  });
  worker.on("failed", (job) => {
    if (job?.id === undefined || job.finishedOn === undefined || job.opts.removeOnFail === true) return;
    options.failed(titleOfJobId(job.id)).catch((error: unknown) => log.debug({ err: error }, "a hint was not sent"));
  });
  const unsubscribe = options.onCancel((title) => {
    for (const task of tasks) if (titleOfJobId(task.jobId) === title) stop(task, "cancelled");
  });

  const renewal = setInterval(() => void renew(), RENEW_MS);

  // A viewer does not wait until a slot is free: one job more than there are slots is begun for it.
  let extra: Promise<unknown> | undefined;
  const takeExtra = async (): Promise<void> => {
    const token = `${options.name}:extra:${randomUUID()}`;
    const job = await worker.getNextJob(token, { block: false });
    if (job === undefined) return;
    // Another encoder was quicker, and what comes next is in no hurry.
    if (!isHurried(job)) await job.moveToWait(token);
    else await worker.processJob(job, token, () => false);
  };
  const unsubscribeHurry = options.onHurry((wanted) => {
    const { jobId, track } = wanted;
    lately.add(wanted);
    const running = [...tasks].find((task) => task.jobId === jobId);
    if (running !== undefined) {
      if (running.wanted.has(track)) return;
      running.wanted.add(track);
      running.tellWanted(track);
      return;
    }
    if (handingBack || extra !== undefined || tasks.size < options.concurrency) return;
    extra = takeExtra()
      .catch((error: unknown) => log.warn({ err: error, queue: options.queue }, "an extra job could not be taken"))
      .finally(() => (extra = undefined));
  });

  const close = async (graceMs: number): Promise<void> => {
    unsubscribeHurry();
    const closed = Promise.all([worker.close(), extra]).then(() => undefined);
    const endRenewal = (): void => clearInterval(renewal);
    closed.then(endRenewal, endRenewal);
    if (!(await endsWithin(closed, graceMs))) {
      handingBack = true;
      for (const task of tasks) stop(task, "handed-back");
      if (!(await endsWithin(closed, DEAF_AFTER_MS))) {
        const jobs = [...tasks].map((task) => task.jobId);
        log.warn({ jobs }, "jobs go on after their worker was closed; others get them when this process ends");
      }
    }
    unsubscribe();
  };
  let closing: Promise<void> | undefined;
  return { close: ({ graceMs = 0 } = {}) => (closing ??= close(graceMs)) };
}

/** The tracks that viewers waited for last: a job's data does not tell which it is that makes it urgent. */
class LatelyWanted {
  readonly #newestLast: Wanted[] = [];

  add(wanted: Wanted): void {
    this.#newestLast.push(wanted);
    if (this.#newestLast.length > 100) this.#newestLast.shift();
  }

  of(jobId: string): Set<TrackId> {
    return new Set(this.#newestLast.filter((wanted) => wanted.jobId === jobId).map(({ track }) => track));
  }
}

const isHurried = (job: Job): boolean => isViewerPriority(job.priority);

const OUTAGE_PAUSE_MS = 2_000;

/** What becomes of a job whose handler gave up: always throws, in the words that BullMQ understands. */
async function settle(job: Job, token: string, task: Task, error: unknown): Promise<never> {
  if (task.stopped === undefined && isOutage(error)) {
    // Waited out in the slot, which could do nothing else either; given back as if never begun, no attempt is used up.
    await delay(OUTAGE_PAUSE_MS, undefined, { signal: task.abort.signal }).catch(() => undefined);
    task.stopped ??= "handed-back";
  }
  const { stopped } = task;
  if (stopped === "handed-back") {
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (stopped === "cancelled") {
    // Nobody needs to hear of it: it shall vanish.
    job.opts.removeOnFail = true;
    throw new UnrecoverableError(writeReason(new PipelineError("encode.cancelled", "the title was cancelled")));
  }
  const failure = toPipelineError(error);
  if (!failure.retry) throw new UnrecoverableError(writeReason(failure));
  throw new Error(writeReason(failure), { cause: error });
}

/** The job is gone (-1), not active (-3), or locked by another (-2, -6): BullMQ's error codes. */
const isRefusal = (error: Error): boolean =>
  "code" in error && typeof error.code === "number" && [-1, -2, -3, -6].includes(error.code);

async function endsWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const ended = promise.then(() => true);
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  const result = await Promise.race([ended, late]);
  timer.abort();
  return result;
}
