import type { EncodeJob, PrepareJob, PublishJob, TitleId } from "@gakuen/contracts";
import { type BackendFactory, createPostgresBackend, type IQueueBackend, withBackend } from "bullmq";
import type { EngineLog } from "./log.ts";

export const queueNames = {
  prepare: "gakuen-prepare",
  encode: "gakuen-encode",
  publish: "gakuen-publish",
} as const;

export type JobKind = keyof typeof queueNames;

export type Queues = Awaited<ReturnType<typeof openQueues>>;
/** Any of the queues. */
export type AnyQueue = Queues[JobKind];

/** Where the queue lives, as BullMQ wants to hear it. */
export type QueueConnection = {
  readonly connectionString: string;
  readonly schema: string;
  readonly migrate: boolean;
  /** Connections for queries, per user of the queue. */
  readonly max: number;
  readonly connectionTimeoutMillis: number;
};

/** The states in which a job is under way; in all others it has ended or never was. */
export const liveStates = ["waiting", "prioritized", "delayed", "waiting-children", "active"] as const;

/** The states in which a job does not run and can be removed. */
export const restingStates = ["waiting", "prioritized", "delayed", "waiting-children", "failed", "completed"] as const;

/**
 * Options of every job. A completed job is gone, so that it can be added again; a failed one stays until its failure
 * was seen to.
 */
export const jobOptions = {
  attempts: 4,
  backoff: { type: "exponential", delay: 500 },
  removeOnComplete: true,
  removeOnFail: false,
  // The reason says what went wrong; traces of our own code would only bloat the rows.
  stackTraceLimit: 1,
} as const;

/** All three queues and the graph's door, on one small pool of connections. Creates the queue's tables. */
export async function openQueues(connection: QueueConnection, log: EngineLog) {
  const shared = createPostgresBackend("gakuen", { connection });
  shared.on("error", (error: Error) => log.warn({ err: error }, "the queue's database connection broke"));
  try {
    await shared.waitUntilReady();
  } catch (error) {
    await shared.close();
    throw error;
  }
  const onShared: BackendFactory<IQueueBackend, QueueConnection> = (name) => shared.forQueue(name);
  const { Queue, FlowProducer } = withBackend(onShared);
  const prepare = new Queue<PrepareJob>(queueNames.prepare, { connection });
  const encode = new Queue<EncodeJob>(queueNames.encode, { connection });
  const publish = new Queue<PublishJob>(queueNames.publish, { connection });
  const flows = new FlowProducer({ connection });
  const warn = (error: Error): void => log.warn({ err: error }, "the queue failed");
  prepare.on("error", warn);
  encode.on("error", warn);
  publish.on("error", warn);
  flows.on("error", warn);
  return {
    prepare,
    encode,
    publish,
    flows,
    close: async (): Promise<void> => {
      for (const user of [prepare, encode, publish, flows]) await user.close();
      await shared.close();
    },
  };
}

/** Ids of a title's jobs in some states of one queue. */
export async function jobIdsOfTitle(queue: AnyQueue, title: TitleId, states: readonly JobState[]): Promise<string[]> {
  const ids = await queue.getRanges([...states], 0, -1, true);
  return ids.filter((id) => id.startsWith(`${title}.`));
}

type JobState = (typeof liveStates)[number] | (typeof restingStates)[number];
