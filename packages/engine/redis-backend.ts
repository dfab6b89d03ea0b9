import { PipelineError } from "@gakuen/contracts";
import { createRedisBackend } from "bullmq";
import { Redis } from "ioredis";
import type { BackendConnection, BackendOptions } from "./backend.ts";
import type { EngineLog } from "./log.ts";

/** The queue in Redis or Valkey: one connection for commands, and one more for each that waits for something. */
export async function openRedisBackend({ url, log }: BackendOptions): Promise<BackendConnection> {
  const client = new Redis(url.replace(/^valkey/, "redis"), {
    lazyConnect: true,
    connectTimeout: 5_000,
    // Commands wait while the server is away, as BullMQ asks; they go on when it is back.
    maxRetriesPerRequest: null,
    retryStrategy: (tries) => Math.min(tries * 100, 1_000),
  });
  let reason: Error | undefined;
  client.on("error", (error: Error) => {
    reason = error;
    if (client.status !== "end") log.debug({ err: error }, "the queue's Redis connection failed");
  });
  try {
    await client.connect();
    await checkDurability(client, log);
  } catch (error) {
    client.disconnect();
    // "Connection is closed" says less than why it was.
    throw error instanceof PipelineError ? error : (reason ?? error);
  }
  client.on("close", () =>
    log.warn({}, "the queue's Redis connection broke; it is made again when the server is back"),
  );
  return {
    factory: (name, options, needs) => createRedisBackend(name, { ...options, connection: client }, needs),
    close: async () => {
      client.removeAllListeners("close");
      await client.quit().catch(() => client.disconnect());
    },
  };
}

/**
 * Jobs are the only memory of what is to be done next. A server that throws keys away when it is full would lose them
 * silently: refused. One that keeps nothing on disk loses them when it is restarted, and so does one that writes a
 * snapshot now and then: a warning, because Kaichou queues again what is missing when it starts.
 */
async function checkDurability(client: Redis, log: EngineLog): Promise<void> {
  const info = await client.info("memory", "persistence").catch(() => "");
  const fields = new Map(info.split("\r\n").map((line) => line.split(":", 2) as [string, string | undefined]));
  const policy = fields.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    throw new PipelineError(
      "config.invalid",
      `the queue's Redis throws keys away when memory is short (maxmemory-policy ${policy}), and jobs would be lost: set "maxmemory-policy noeviction" in redis.conf`,
    );
  }
  if (fields.get("aof_enabled") === "0") {
    log.warn(
      {},
      'the queue\'s Redis forgets its newest jobs when it is restarted: set "appendonly yes" in redis.conf; Kaichou queues what is missing when it starts',
    );
  }
}
