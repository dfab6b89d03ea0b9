import { PipelineError } from "@gakuen/contracts";
import type { BackendFactory, IQueueBackend } from "bullmq";
import type { EngineLog } from "./log.ts";
import { openPostgresBackend } from "./postgres-backend.ts";
import { openRedisBackend } from "./redis-backend.ts";

/** Where the queue lives: PostgreSQL or Redis, the same to everything above. */
export interface Backend {
  /** Makes what each user of the queue talks to, all on the connections of this backend. */
  readonly factory: BackendFactory<IQueueBackend, unknown>;
  /** What BullMQ asks of each user's options. */
  readonly options: { readonly connection: unknown; readonly prefix: string };
  close(): Promise<void>;
}

export interface BackendOptions {
  /** `postgres://user:password@host:port/database`, or `redis://`, `rediss://`, `valkey://` and `valkeys://`. */
  readonly url: string;
  /** The queue's own name there: a schema of PostgreSQL, a prefix of Redis' keys. */
  readonly namespace: string;
  /** Connections to PostgreSQL at most; the one that listens is one of them. */
  readonly maxConnections: number;
  readonly log: EngineLog;
}

const openers: Readonly<Record<string, (options: BackendOptions) => Promise<Backend>>> = {
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
  return open(options).catch((error: unknown) => {
    if (error instanceof PipelineError) throw error;
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new PipelineError(
      "database.unavailable",
      `the queue at ${hostname}${port && `:${port}`} cannot be used: ${reason} (GAKUEN_QUEUE_URL says where it is)`,
      { cause: error },
    );
  });
}
