import { ChunkRef, EncodeProgress, TitleId, TrackId } from "@gakuen/contracts";
import { createPostgresBackend, type QueueEventsListener, withBackend } from "bullmq";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineLog } from "./log.ts";
import { type QueueConnection, queueNames } from "./queues.ts";

/** A track of a chunk that a viewer waits for, by the chunk's job. */
export interface Wanted {
  readonly jobId: string;
  readonly track: TrackId;
}

/** What all processes of the queue tell each other at once, beside the jobs. */
export interface Signals {
  /** Asks every process to stop what it runs of this title. */
  readonly cancel: (title: TitleId) => Promise<void>;
  readonly failed: (title: TitleId) => Promise<void>;
  /** Tells encoders what a viewer waits for. */
  readonly hurry: (wanted: Wanted) => Promise<void>;
  readonly onHurry: (listener: (wanted: Wanted) => void) => () => void;
  readonly onCancel: (listener: (title: TitleId) => void) => () => void;
  readonly onFailure: (listener: (title: TitleId) => void) => () => void;
  readonly onProgress: (listener: (ref: ChunkRef, progress: EncodeProgress) => void) => () => void;
  readonly close: () => Promise<void>;
}

/** BullMQ's own events of the encode queue, with ours among them. */
interface EncodeQueueEvents extends QueueEventsListener {
  "gakuen-cancel": (args: { title: string }, id: string) => void;
  "gakuen-failed": (args: { title: string }, id: string) => void;
  "gakuen-hurry": (args: { job: string; track: string }, id: string) => void;
  "gakuen-hello": (args: { from: string }, id: string) => void;
}

/**
 * Events are read when the database says that there are some, and this often anyway: several at once may be announced
 * only once.
 */
const POLL_MS = 500;

/** Resolves when events are being received. */
export async function openSignals(connection: QueueConnection, log: EngineLog): Promise<Signals> {
  const { QueueEvents, QueueEventsProducer } = withBackend(createPostgresBackend);
  const producer = new QueueEventsProducer(queueNames.encode, { connection });
  const events = new QueueEvents(queueNames.encode, { connection, blockingTimeout: POLL_MS });
  const warn = (error: Error): void => log.warn({ err: error }, "the queue's event connection failed");
  producer.on("error", warn);
  events.on("error", warn);

  const cancels = new Set<(title: TitleId) => void>();
  const failures = new Set<(title: TitleId) => void>();
  const hurries = new Set<(wanted: Wanted) => void>();
  const progresses = new Set<(ref: ChunkRef, progress: EncodeProgress) => void>();
  events.on<EncodeQueueEvents, "gakuen-cancel">("gakuen-cancel", ({ title }) =>
    tell(cancels, TitleId.safeParse(title).data),
  );
  events.on<EncodeQueueEvents, "gakuen-failed">("gakuen-failed", ({ title }) =>
    tell(failures, TitleId.safeParse(title).data),
  );
  events.on<EncodeQueueEvents, "gakuen-hurry">("gakuen-hurry", ({ job, track }) => {
    const id = TrackId.safeParse(track);
    if (id.success) for (const listener of hurries) listener({ jobId: job, track: id.data });
  });
  events.on("progress", ({ jobId, data }) => {
    const [title, plan, chunk] = jobId.split(".");
    const ref = ChunkRef.safeParse({ title, plan, chunk });
    const progress = EncodeProgress.safeParse(data);
    if (ref.success && progress.success) for (const listener of progresses) listener(ref.data, progress.data);
  });

  // Until an event was read, the reader begins at the newest one again and again, and could miss some in between.
  const from = randomUUID();
  const heard = new AbortController();
  events.on<EncodeQueueEvents, "gakuen-hello">("gakuen-hello", (hello) => {
    if (hello.from === from) heard.abort();
  });
  await events.waitUntilReady();
  while (!heard.signal.aborted) {
    await producer.publishEvent({ eventName: "gakuen-hello", from });
    await delay(POLL_MS, undefined, { signal: heard.signal }).catch(() => undefined);
  }

  return {
    cancel: (title) => producer.publishEvent({ eventName: "gakuen-cancel", title }),
    failed: (title) => producer.publishEvent({ eventName: "gakuen-failed", title }),
    hurry: ({ jobId, track }) => producer.publishEvent({ eventName: "gakuen-hurry", job: jobId, track }),
    onHurry: (listener) => subscribe(hurries, listener),
    onCancel: (listener) => subscribe(cancels, listener),
    onFailure: (listener) => subscribe(failures, listener),
    onProgress: (listener) => subscribe(progresses, listener),
    close: async () => {
      await events.close();
      await producer.close();
    },
  };
}

function subscribe<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(listeners: ReadonlySet<(title: TitleId) => void>, title: TitleId | undefined): void {
  if (title !== undefined) for (const listener of listeners) listener(title);
}
