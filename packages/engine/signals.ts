import { ChunkRef, EncodeProgress, TitleId, TrackId } from "@gakuen/contracts";
import type { QueueEventsListener } from "bullmq";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Backend } from "./backend.ts";
import type { EngineLog } from "./log.ts";
import { queueNames } from "./queues.ts";

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

/** BullMQ's own events of a queue, with ours among them. */
interface SignalEvents extends QueueEventsListener {
  "gakuen-cancel": (args: { title: string }, id: string) => void;
  "gakuen-failed": (args: { title: string }, id: string) => void;
  "gakuen-hurry": (args: { job: string; track: string }, id: string) => void;
  "gakuen-hello": (args: { from: string }, id: string) => void;
}

/**
 * A stream that no queue writes to: each chunk makes half a dozen events, and a hundred encoders need not read them all
 * to hear of a cancel.
 */
const STREAM = "gakuen-signals";

/**
 * Events are read when the database says that there are some, and this often anyway: several at once may be announced
 * only once, and encoders do not listen.
 */
const POLL_MS = 500;

/** Resolves when events are being received. */
export async function openSignals({ classes, options }: Backend, log: EngineLog): Promise<Signals> {
  const { QueueEvents, QueueEventsProducer } = classes;
  const producer = new QueueEventsProducer(STREAM, options);
  const events = new QueueEvents(STREAM, { ...options, blockingTimeout: POLL_MS });
  const warn = (error: Error): void => log.warn({ err: error }, "the queue's event connection failed");
  producer.on("error", warn);
  events.on("error", warn);

  const cancels = new Set<(title: TitleId) => void>();
  const failures = new Set<(title: TitleId) => void>();
  const hurries = new Set<(wanted: Wanted) => void>();
  const progresses = new Set<(ref: ChunkRef, progress: EncodeProgress) => void>();
  events.on<SignalEvents, "gakuen-cancel">("gakuen-cancel", ({ title }) =>
    tell(cancels, TitleId.safeParse(title).data),
  );
  events.on<SignalEvents, "gakuen-failed">("gakuen-failed", ({ title }) =>
    tell(failures, TitleId.safeParse(title).data),
  );
  events.on<SignalEvents, "gakuen-hurry">("gakuen-hurry", ({ job, track }) => {
    const id = TrackId.safeParse(track);
    if (id.success) for (const listener of hurries) listener({ jobId: job, track: id.data });
  });
  // The encode queue's own events are read only where somebody asks for them.
  let progress: typeof events | undefined;
  const readProgress = (): void => {
    progress = new QueueEvents(queueNames.encode, { ...options, blockingTimeout: POLL_MS });
    progress.on("error", warn);
    progress.on("progress", ({ jobId, data }) => {
      const [title, plan, chunk] = jobId.split(".");
      const ref = ChunkRef.safeParse({ title, plan, chunk });
      const told = EncodeProgress.safeParse(data);
      if (ref.success && told.success) for (const listener of progresses) listener(ref.data, told.data);
    });
  };

  // Until an event was read, the reader begins at the newest one again and again, and could miss some in between.
  const from = randomUUID();
  const heard = new AbortController();
  events.on<SignalEvents, "gakuen-hello">("gakuen-hello", (hello) => {
    if (hello.from === from) heard.abort();
  });
  await events.waitUntilReady();
  // The first falls into the moment before it listens, as a rule.
  for (let pause = 20; !heard.signal.aborted; pause = Math.min(2 * pause, POLL_MS)) {
    await producer.publishEvent({ eventName: "gakuen-hello", from });
    await delay(pause, undefined, { signal: heard.signal }).catch(() => undefined);
  }

  return {
    cancel: (title) => producer.publishEvent({ eventName: "gakuen-cancel", title }),
    failed: (title) => producer.publishEvent({ eventName: "gakuen-failed", title }),
    hurry: ({ jobId, track }) => producer.publishEvent({ eventName: "gakuen-hurry", job: jobId, track }),
    onHurry: (listener) => subscribe(hurries, listener),
    onCancel: (listener) => subscribe(cancels, listener),
    onFailure: (listener) => subscribe(failures, listener),
    onProgress: (listener) => {
      if (progress === undefined) readProgress();
      return subscribe(progresses, listener);
    },
    close: async () => {
      await events.close();
      await progress?.close();
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
