import { PipelineError } from "@gakuen/contracts";
import {
  assertSchemaCompatibility,
  LATEST_SCHEMA_VERSION,
  type PgPoolClient,
  PostgresConnection,
  PostgresQueueBackend,
  runMigrations,
  SchemaMigrationRequiredError,
} from "bullmq";
import type { Backend, BackendOptions } from "./backend.ts";

/** The queue in PostgreSQL, on one small pool per process. Makes its tables where they are missing and it may. */
export async function openPostgresBackend({
  url,
  namespace,
  maxConnections,
  log,
}: BackendOptions): Promise<Backend> {
  const connection = new ListeningPool({
    connectionString: url,
    schema: namespace,
    max: maxConnections,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  connection.on("error", (error: Error) => log.warn({ err: error }, "the queue's database connection broke"));
  try {
    await connection.prepare(namespace);
    await connection.waitUntilReady();
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
      const backend = new PostgresQueueBackend(connection, name, options, false);
      backends.add(backend);
      return backend;
    },
    options: { connection: url, prefix: namespace },
    close: () => connection.close(),
  };
}

/**
 * Listens on a connection of the pool that goes on answering queries, as PostgreSQL allows. BullMQ would take one more
 * for each worker and reader of events; with a hundred encoders it is the number of connections that counts.
 */
class ListeningPool extends PostgresConnection {
  #listening: Promise<PgPoolClient> | undefined;

  override getListenClient(): Promise<PgPoolClient> {
    if (this.#listening === undefined) {
      const opening = this.#listen();
      this.#listening = opening;
      opening.catch(() => this.#forget(opening));
    }
    return this.#listening;
  }

  async #listen(): Promise<PgPoolClient> {
    const client = await this.pool.connect();
    try {
      // All readers of this process share the two channels, so they are asked for at once, whoever comes first.
      await client.query("listen bullmq_jobs; listen bullmq_events");
    } catch (error) {
      client.release(true);
      throw error;
    }
    // Without a listener an error would end the process; the pool tells of it, and "end" follows.
    client.on("error", () => undefined);
    client.on("end", () => this.#forget(this.#listening));
    client.release();
    return client;
  }

  #forget(listening: Promise<PgPoolClient> | undefined): void {
    if (this.#listening !== listening) return;
    this.#listening = undefined;
    if (this.isClosing === undefined) this.emit("listenerinvalidated");
  }

  /** Brings the queue's tables up to date; a role that may not is fine where there is nothing to do. */
  async prepare(schema: string): Promise<void> {
    const client = await this.pool.connect();
    try {
      if ((await versionOf(client, schema)) >= LATEST_SCHEMA_VERSION) return;
      await runMigrations(client, schema);
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

async function versionOf(client: PgPoolClient, schema: string): Promise<number> {
  try {
    return await assertSchemaCompatibility(client, schema);
  } catch (error) {
    if (error instanceof SchemaMigrationRequiredError) return 0;
    throw error;
  }
}

/** PostgreSQL's insufficient_privilege. */
const isForbidden = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "42501";
