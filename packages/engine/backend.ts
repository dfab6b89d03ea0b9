import { PipelineError } from "@gakuen/contracts";
import { type BackendClasses, type BackendFactory, type IQueueBackend, withBackend } from "bullmq";
import type { EngineLog } from "./log.ts";
import { openPostgresBackend } from "./postgres-backend.ts";

/** Where the queue lives: PostgreSQL or Redis, the same to everything above. */
export interface Backend {
  /** BullMQ's classes, all on the connections of this backend. */
  readonly classes: BackendClasses<IQueueBackend, true>;
  /** What each of them wants to be given; the connection is there already. */
  readonly options: { readonly connection: true; readonly prefix: string };
  /** Closes the connections; what was made of the classes must be closed before. */
  close(): Promise<void>;
}

/** A backend as its kind opens it. */
export interface BackendConnection {
  readonly factory: BackendFactory<IQueueBackend, true>;
  close(): Promise<void>;
}

export interface BackendOptions {
  /** `postgres://user:password@host:port/database`, or `redis://`, `rediss://`, `valkey://` and `valkeys://`. */
  readonly url: string;
  /** The queue's own name there: a schema of PostgreSQL, a prefix of Redis' keys. */
  readonly namespace: string;
  readonly worksOnly: boolean;
  readonly log: EngineLog;
}

type Open = (options: BackendOptions) => Promise<BackendConnection>;

/** Loaded only where the queue is in Redis. */
const openRedisBackend: Open = async (options) => (await import("./redis-backend.ts")).openRedisBackend(options);

const openers: Readonly<Record<string, Open>> = {
  "postgres:": openPostgresBackend,
  "postgresql:": openPostgresBackend,
  "redis:": openRedisBackend,
  "rediss:": openRedisBackend,
  "valkey:": openRedisBackend,
  "valkeys:": openRedisBackend,
};

/**
 * Connects to the queue that the URL names.
 *
 * @throws PipelineError `config.invalid` (another kind of URL; a server that must not keep a queue),
 * `database.unavailable`.
 */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { protocol = "", hostname = "?", port = "" } = URL.parse(options.url) ?? {};
  const open = openers[protocol];
  if (open === undefined) {
    throw new PipelineError("config.invalid", "GAKUEN_QUEUE_URL must begin with postgres://, redis:// or rediss://");
  }
  const { factory, close } = await open(options).catch((error: unknown) => {
    if (error instanceof PipelineError) throw error;
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new PipelineError(
      "database.unavailable",
      `the queue at ${hostname}${port && `:${port}`} cannot be used: ${reason} (GAKUEN_QUEUE_URL says where it is)`,
      { cause: error },
    );
  });
  return { classes: withBackend(factory), options: { connection: true, prefix: options.namespace }, close };
}
