import {
  type ChunkRef,
  EncodeJob,
  type EncodeProgress,
  encodeJobId,
  PipelineError,
  PrepareJob,
  prepareJobId,
  PublishJob,
  publishJobId,
  type TitleId,
  type TrackId,
} from "@gakuen/contracts";
import { hostname } from "node:os";
import { openBackend } from "./backend.ts";
import { cancelTitle } from "./cancel.ts";
import { clearFailures, type Failure, readFailures } from "./failures.ts";
import type { EngineLog } from "./log.ts";
import { type AnyQueue, jobOptions, liveStates, openQueues, queueNames } from "./queues.ts";
import { openSignals } from "./signals.ts";
import { type Handler, startWorker, type WorkerHandle } from "./worker.ts";

interface Count {
  readonly waiting: number;
  readonly active: number;
}

/**
 * The work queue: prepare, encode and publish jobs, handed out at least once each. Priorities are BullMQ's, 1 … 2097152,
 * lower first. Job ids follow from what the jobs do, so adding one twice adds it once. A job that failed for good keeps
 * its id taken until its failure is cleared.
 */
export interface Engine extends AsyncDisposable {
  addPrepare(job: PrepareJob, options: { readonly priority: number }): Promise<void>;
  /** Adds all chunks and the publish job that follows when the last is done, all or nothing. A chunk that fails for good fails the publish job. */
  addGraph(
    publish: PublishJob,
    encodes: readonly { readonly job: EncodeJob; readonly priority: number }[],
  ): Promise<void>;
  /** Whether the job is under way: waiting, delayed or running; not failed or done. */
  hasPrepare(title: TitleId): Promise<boolean>;
  hasPublish(job: PublishJob): Promise<boolean>;
  /** False when the job does not wait any more. */
  setEncodePriority(ref: ChunkRef, priority: number): Promise<boolean>;
  /**
   * A viewer waits for a track of the chunk: a job that waits gets `priority` ({@link isViewerPriority}), and encoders
   * whose slots are all taken begin it in an extra one; a job that runs is told ({@link HandlerContext.onWanted}).
   */
  hurryEncode(ref: ChunkRef, track: TrackId, priority: number): Promise<void>;
  /** Removes all jobs of the title, failed ones too, and stops those that run, in whatever process. Resolves when they have stopped, at the latest after 10 s. */
  cancelTitle(title: TitleId): Promise<void>;
  /** Jobs that failed for good; they stay here until they are cleared. */
  failures(): Promise<Failure[]>;
  clearFailures(title: TitleId): Promise<void>;
  /** A hint to look at `failures()`; it may be missed. */
  onFailure(listener: (title: TitleId) => void): () => void;
  /** Progress of chunks, from any process. */
  onProgress(listener: (ref: ChunkRef, progress: EncodeProgress) => void): () => void;
  workPrepare(handler: Handler<PrepareJob>, options: { readonly concurrency: number }): WorkerHandle;
  workEncode(handler: Handler<EncodeJob>, options: { readonly slots: number }): WorkerHandle;
  workPublish(handler: Handler<PublishJob>, options: { readonly concurrency: number }): WorkerHandle;
  counts(): Promise<{ readonly prepare: Count; readonly encode: Count; readonly publish: Count }>;
  /** Closes the workers (without grace) and the connections. */
  close(): Promise<void>;
}

export interface EngineOptions {
  /** `postgres://user:password@host:port/database`, or `redis://user:password@host:port/number`. */
  readonly url: string;
  readonly log: EngineLog;
  /** The queue's own name in that database: schema of its tables, prefix of its keys. Default `gakuen_queue`. */
  readonly namespace?: string;
  /** Name of this process's workers. Default host:pid. */
  readonly name?: string;
  /**
   * This process only works on jobs, as encoders do: on one connection to PostgreSQL, which does not listen (it hears of
   * a cancel or of new jobs up to a second later), and without waiting for the disk at each commit. What a crash of the
   * server forgets is done, or told, again.
   */
  readonly worksOnly?: boolean;
}

/**
 * Connects to the queue and creates its tables where they are missing.
 *
 * @throws PipelineError `database.unavailable`, `config.invalid` (not a queue's URL; a Redis that would lose jobs)
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { log, namespace = "gakuen_queue", name = `${hostname()}:${process.pid}`, worksOnly = false } = options;
  const backend = await openBackend({ url: options.url, namespace, worksOnly, log });
  const queues = openQueues(backend, log);
  const signals = await openSignals(backend, log);
  const workers = new Set<WorkerHandle>();

  const work = <T>(
    queue: string,
    concurrency: number,
    parse: (data: unknown) => T,
    handler: Handler<T>,
  ): WorkerHandle => {
    const { onCancel, onHurry, failed } = signals;
    const worker = startWorker({
      queue,
      name,
      concurrency,
      backend,
      log,
      parse,
      handler,
      onCancel,
      onHurry,
      failed,
    });
    workers.add(worker);
    return worker;
  };

  /** Gives a chunk's job another place if it still waits, and tells where it is. */
  const moveEncode = async (ref: ChunkRef, priority: number): Promise<"waits" | "runs" | "over"> => {
    const job = await queues.encode.getJob(encodeJobId(ref));
    const state = await job?.getState();
    if (job === undefined || !liveStates.some((live) => live === state)) return "over";
    if (state === "active") return "runs";
    await job.changePriority({ priority });
    return "waits";
  };

  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    await Promise.all([...workers].map((worker) => worker.close()));
    await signals.close();
    await queues.close();
    await backend.close();
  };
  const close = (): Promise<void> => (closing ??= closeAll());

  return {
    addPrepare: async (job, { priority }) => {
      await queues.prepare.add("prepare", job, { ...jobOptions, jobId: prepareJobId(job.title), priority });
    },
    addGraph: async (publish, encodes) => {
      // Chunks of a graph that is under way may be done and gone; they must not come again.
      if (await isLive(queues.publish, publishJobId(publish))) return;
      await queues.flows.add({
        name: "publish",
        queueName: queueNames.publish,
        data: publish,
        opts: { ...jobOptions, jobId: publishJobId(publish) },
        children: encodes.map(({ job, priority }) => ({
          name: "encode",
          queueName: queueNames.encode,
          data: job,
          opts: { ...jobOptions, jobId: encodeJobId(job.ref), priority, failParentOnFailure: true },
        })),
      });
    },
    hasPrepare: (title) => isLive(queues.prepare, prepareJobId(title)),
    hasPublish: (job) => isLive(queues.publish, publishJobId(job)),
    setEncodePriority: async (ref, priority) => (await moveEncode(ref, priority)) === "waits",
    hurryEncode: async (ref, track, priority) => {
      if ((await moveEncode(ref, priority)) === "over") return;
      await signals.hurry({ jobId: encodeJobId(ref), track });
    },
    cancelTitle: (title) => cancelTitle(queues, signals, title, log),
    failures: () => readFailures(queues),
    clearFailures: (title) => clearFailures(queues, title),
    onFailure: signals.onFailure,
    onProgress: signals.onProgress,
    workPrepare: (handler, { concurrency }) => work(queueNames.prepare, concurrency, parser(PrepareJob), handler),
    workEncode: (handler, { slots }) => work(queueNames.encode, slots, parser(EncodeJob), handler),
    workPublish: (handler, { concurrency }) => work(queueNames.publish, concurrency, parser(PublishJob), handler),
    counts: async () => ({
      prepare: await countJobs(queues.prepare),
      encode: await countJobs(queues.encode),
      publish: await countJobs(queues.publish),
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A job's data was written by another process, perhaps of another version. */
function parser<T>(schema: {
  safeParse(data: unknown): { success: true; data: T } | { success: false; error: Error };
}) {
  return (data: unknown): T => {
    const parsed = schema.safeParse(data);
    if (parsed.success) return parsed.data;
    throw new PipelineError("usage.invalid", `this is not a job: ${parsed.error.message}`, { cause: parsed.error });
  };
}

async function isLive(queue: AnyQueue, jobId: string): Promise<boolean> {
  const state = await queue.getJobState(jobId);
  return liveStates.some((live) => live === state);
}

async function countJobs(queue: AnyQueue): Promise<Count> {
  const counts = await queue.getJobCounts("waiting", "prioritized", "delayed", "active");
  const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = counts;
  return { waiting: waiting + prioritized + delayed, active };
}
