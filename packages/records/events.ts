import { PipelineError, type PlanId, type TitleId, type TrackId } from "@gakuen/contracts";
import { type RawBuilder, sql } from "kysely";
import { Client } from "pg";
import { setTimeout as delay } from "node:timers/promises";
import { asUnavailable } from "./database-unavailable.ts";
import type { RecordsLog } from "./log.ts";

const CHANNEL = "gakuen";

/**
 * title: its row changed or went away. segment: a receipt was added. published: final manifests are there.
 * resync: the connection was lost for a while, any event may have been missed; look again at what you care about.
 */
export type RecordEvent =
  | { readonly kind: "title"; readonly title: TitleId }
  | {
      readonly kind: "segment";
      readonly title: TitleId;
      readonly plan: PlanId;
      readonly track: TrackId;
      readonly number: number;
    }
  | { readonly kind: "published"; readonly title: TitleId; readonly plan: PlanId }
  | { readonly kind: "resync" };

export interface RecordEvents {
  /** Calls `listener` for every event from now on, whichever process caused it. Returns how to stop. */
  subscribe(listener: (event: RecordEvent) => void): () => void;
}

/** Sends an event when (and only when) the surrounding transaction commits. */
export function notify(event: Exclude<RecordEvent, { kind: "resync" }>): RawBuilder<unknown> {
  return sql`pg_notify(${CHANNEL}, ${JSON.stringify(event)})`;
}

/**
 * Listens on a connection of its own, which is made anew when it breaks.
 *
 * @throws what connecting throws the first time; later losses are only logged.
 */
export async function listen(url: string, log: RecordsLog): Promise<RecordEvents & { close(): Promise<void> }> {
  const listeners = new Set<(event: RecordEvent) => void>();
  const closing = new AbortController();

  const tell = (event: RecordEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error({ err: error, event }, "a listener for database events failed");
      }
    }
  };

  const connect = async (): Promise<Client> => {
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      // A dead peer must be noticed in seconds: nothing is ever sent on this connection.
      keepAliveInitialDelayMillis: 10_000,
    });
    client.on("error", (error) => log.warn({ err: asUnavailable(error, url) }, "the event connection broke"));
    client.on("notification", (message) => {
      if (message.channel === CHANNEL && message.payload !== undefined)
        tell(JSON.parse(message.payload) as RecordEvent);
    });
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    return client;
  };

  const reconnect = async (): Promise<Client | undefined> => {
    for (let wait = 100; !closing.signal.aborted; wait = Math.min(wait * 2, 5_000)) {
      await delay(wait, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return undefined;
      const client = await connect().catch(() => undefined);
      if (client !== undefined) return client;
    }
    return undefined;
  };

  const ended = (client: Client): Promise<void> => new Promise((resolve) => client.once("end", () => resolve()));

  let client: Client | undefined = await connect();
  let end = ended(client);
  const keeping = (async () => {
    for (;;) {
      await end;
      if (closing.signal.aborted) return;
      client = await reconnect();
      if (client === undefined) return;
      end = ended(client);
      // close() may have run while the connection was being made.
      if (closing.signal.aborted) await client.end();
      log.info({}, "the event connection is back");
      tell({ kind: "resync" });
    }
  })();

  return {
    subscribe: (listener) => {
      if (closing.signal.aborted) throw new PipelineError("internal", "subscribed to events of a closed database");
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      closing.abort();
      listeners.clear();
      await client?.end().catch(() => undefined);
      await keeping;
    },
  };
}
