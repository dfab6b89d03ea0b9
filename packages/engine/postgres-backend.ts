import { PipelineError } from "@gakuen/contracts";
import {
  assertSchemaCompatibility,
  LATEST_SCHEMA_VERSION,
  type PgQueryable,
  type PostgresPoolConfig,
  PostgresConnection,
  PostgresQueueBackend,
  runMigrations,
  SchemaMigrationRequiredError,
} from "bullmq";
import { EventEmitter } from "node:events";
import type { BackendConnection, BackendOptions } from "./backend.ts";
import { workByDatabaseClock } from "./database-clock.ts";

/** Opened as they are needed; the one that listens is among them. */
const MOST_CONNECTIONS = { service: 4, worker: 1 };

/** The queue in PostgreSQL, on one small pool per process. Makes its tables where they are missing and it may. */
export async function openPostgresBackend({
  url,
  namespace,
  worksOnly,
  log,
}: BackendOptions): Promise<BackendConnection> {
  const connection = new ListeningPool(!worksOnly, {
    connectionString: url,
    schema: namespace,
    max: worksOnly ? MOST_CONNECTIONS.worker : MOST_CONNECTIONS.service,
    // Commits that announce something wait for each other in PostgreSQL, and so does every encoder if each waits for
    // the disk. Those that a crash of the server forgets left a job active, and it is given out again.
    ...(worksOnly && { options: "-c synchronous_commit=off" }),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  connection.on("error", (error: Error) => log.warn({ err: error }, "the queue's database connection broke"));
  try {
    await connection.prepare(namespace);
    await connection.waitUntilReady();
    await workByDatabaseClock(connection.pool);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const backends = new Set<PostgresQueueBackend>();
  // Whoever waits for news on a connection that is gone looks for itself, and waits on the next one.
  connection.on("listenerinvalidated", () => {
    for (const backend of backends) void backend.disconnect();
  });
  return {
    factory: (name, options) => {
      const backend = new PostgresQueueBackend(connection, name, { ...options, connection: url }, false);
      backends.add(backend);
      return backend;
    },
    close: () => connection.close(),
  };
}

type ListenClient = Awaited<ReturnType<PostgresConnection["getListenClient"]>>;

/** What BullMQ waits on. It listens already, so BullMQ's own LISTENs need not be sent. */
class Ear extends EventEmitter implements ListenClient {
  query(): Promise<{ rows: [] }> {
    return Promise.resolve({ rows: [] });
  }
}

/**
 * Listens on a connection of the pool that goes on answering queries, as PostgreSQL allows. BullMQ would take one more
 * for each worker and each reader of events.
 *
 * Encoders do not listen, they look now and then. Each chunk makes half a dozen announcements, and PostgreSQL wakes every
 * connection that listens for each of them, whatever it listens to: that grows with the square of the encoders.
 */
class ListeningPool extends PostgresConnection {
  readonly #ear = new Ear();
  readonly #listens: boolean;
  #listening: Promise<void> | undefined;

  constructor(listens: boolean, config: PostgresPoolConfig) {
    super(config);
    this.#listens = listens;
  }

  override async getListenClient(): Promise<ListenClient> {
    if (!this.#listens) return this.#ear;
    this.#listening ??= this.#listen();
    const listening = this.#listening;
    await listening.catch((error: unknown) => {
      this.#lose(listening);
      throw error;
    });
    return this.#ear;
  }

  async #listen(): Promise<void> {
    const client = await this.pool.connect();
    try {
      await client.query("listen bullmq_jobs; listen bullmq_events");
    } catch (error) {
      client.release(true);
      throw error;
    }
    client.on("notification", (notification) => this.#ear.emit("notification", notification));
    client.on("end", () => this.#lose(this.#listening));
    client.release();
  }

  /** The next who waits listens anew; whoever waits already is woken to do so. */
  #lose(listening: Promise<void> | undefined): void {
    if (this.#listening !== listening) return;
    this.#listening = undefined;
    if (this.isClosing === undefined) this.emit("listenerinvalidated");
  }

  /** Brings the queue's tables up to date; a role that may not is fine where there is nothing to do. */
  async prepare(schema: string): Promise<void> {
    const client = await this.pool.connect();
    try {
      if ((await versionOf(client, schema)) < LATEST_SCHEMA_VERSION) await runMigrations(client, schema);
      if (this.#listens) await addStalledIndex(client, schema);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      throw new PipelineError(
        "database.unavailable",
        "the queue's tables are missing or old, and this role may not make them: start Kaichou first, then this",
        { cause: error },
      );
    } finally {
      client.release();
    }
  }
}

/**
 * Every two seconds BullMQ looks for jobs that it has marked as perhaps stalled, and has no index for that: with 95,000
 * queued jobs it read them all in 150 ms, with this one it takes 3.
 */
async function addStalledIndex(client: PgQueryable, schema: string): Promise<void> {
  const index = "gakuen_job_stalled_idx";
  const { rows } = await client.query<{ there: boolean }>("select to_regclass($1) is not null as there", [
    `"${schema}".${index}`,
  ]);
  if (rows[0]?.there) return;
  // One transaction: of several services that start together one makes it.
  await client.query(
    `select pg_advisory_xact_lock(hashtext('${index}'));
     create index if not exists ${index} on "${schema}".job (queue) where stalled_marked`,
  );
}

async function versionOf(client: PgQueryable, schema: string): Promise<number> {
  try {
    return await assertSchemaCompatibility(client, schema);
  } catch (error) {
    if (error instanceof SchemaMigrationRequiredError) return 0;
    throw error;
  }
}

/** PostgreSQL's insufficient_privilege. */
const isForbidden = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "42501";
