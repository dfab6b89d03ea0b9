import type { EncodeJob, PrepareJob, PublishJob, TitleId } from "@gakuen/contracts";
import type { Backend } from "./backend.ts";
import type { EngineLog } from "./log.ts";

export const queueNames = {
  prepare: "gakuen-prepare",
  encode: "gakuen-encode",
  publish: "gakuen-publish",
} as const;

export type JobKind = keyof typeof queueNames;

export type Queues = ReturnType<typeof openQueues>;
/** Any of the queues. */
export type AnyQueue = Queues[JobKind];

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

/** All three queues and the graph's door. */
export function openQueues({ classes, options }: Backend, log: EngineLog) {
  const { Queue, FlowProducer } = classes;
  const prepare = new Queue<PrepareJob>(queueNames.prepare, options);
  const encode = new Queue<EncodeJob>(queueNames.encode, options);
  const publish = new Queue<PublishJob>(queueNames.publish, options);
  const flows = new FlowProducer(options);
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
    },
  };
}

/** Ids of a title's jobs in some states of one queue. */
export async function jobIdsOfTitle(queue: AnyQueue, title: TitleId, states: readonly JobState[]): Promise<string[]> {
  const ids = await queue.getRanges([...states], 0, -1, true);
  return ids.filter((id) => id.startsWith(`${title}.`));
}

type JobState = (typeof liveStates)[number] | (typeof restingStates)[number];
