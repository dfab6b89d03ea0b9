import { PipelineError } from "@gakuen/contracts";
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from "kysely";
import { type CustomTypesConfig, Pool, types as pgTypes } from "pg";
import { asUnavailable, databasePlace } from "./database-unavailable.ts";
import { listen, type RecordEvents } from "./events.ts";
import type { RecordsLog } from "./log.ts";
import { migrate } from "./migrate.ts";
import type { Database } from "./tables.ts";

/** The database: its tables (in the schema `gakuen`) and what happens in them. */
export interface Records extends AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly events: RecordEvents;
  close(): Promise<void>;
}

export interface RecordsOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly log: RecordsLog;
  /** Connections for queries at most, opened as they are needed; one more listens for events. Default 5. */
  readonly maxConnections?: number;
}

/** Byte counts and ticks stay far below 2^53, so bigint columns are plain numbers here; other pools are not touched. */
const types: CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === pgTypes.builtins.INT8 ? Number : pgTypes.getTypeParser(oid, format)),
};

/**
 * Connects, brings the tables up to date and listens for events.
 * Queries whose connection is lost reject with `database.unavailable`; the next ones connect anew.
 *
 * @throws PipelineError `database.unavailable`, `config.invalid` (not a URL; made by a newer version).
 */
export async function openRecords(options: RecordsOptions): Promise<Records> {
  const { url, log } = options;
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new PipelineError("config.invalid", "GAKUEN_DATABASE_URL must begin with postgres://");
  }
  const pool = new Pool({
    connectionString: url,
    max: options.maxConnections ?? 5,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    types,
  });
  let closing = false;
  // An idle connection that breaks is only replaced; without a listener it would end the process. A pool that was ended
  // does not wait for its sockets, so a server that is stopped next may still cut one.
  pool.on("error", (error) => {
    if (!closing) log.warn({ err: error, database: databasePlace(url) }, "an idle database connection broke");
  });

  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: explainingPool(pool, url) }) });
  try {
    await migrate(db);
    const events = await listen(url, log);
    const close = async (): Promise<void> => {
      closing = true;
      await events.close();
      await db.destroy();
    };
    return { db: db.withSchema("gakuen"), events, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await db.destroy();
    throw asUnavailable(error, url);
  }
}

/** The pool as Kysely needs it, with errors of the connection told as `database.unavailable`. */
function explainingPool(pool: Pool, url: string): PostgresPool {
  const explain = (error: unknown): never => {
    throw asUnavailable(error, url);
  };
  return {
    options: pool.options,
    connect: async () => {
      const client = await pool.connect().catch(explain);
      // A broken socket is told to the query that is running; between two queries of a transaction nobody listens.
      const ignore = (): void => undefined;
      client.on("error", ignore);
      const query = (text: string, values: unknown[]) => client.query(text, values).catch(explain);
      return {
        // Kysely's second form, with a cursor, is for streams of rows, which are not used.
        query: query as unknown as PostgresPoolClient["query"],
        release: (destroy) => {
          client.off("error", ignore);
          client.release(destroy);
        },
      };
    },
    end: () => pool.end(),
  };
}
