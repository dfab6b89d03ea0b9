import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@gakuen/records";
import { withTestRedis } from "../../packages/engine/test-redis.ts";

export interface QueueServer extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** The server's first process. */
  readonly pid: number;
}

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none };

/** The embedded PostgreSQL, as `gakuen up` runs it. */
export async function postgresServer(): Promise<QueueServer> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { url } = stack.use(await startEmbeddedPostgres({ folder, log }));
  const [pid] = readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n", 1);
  const opened = stack.move();
  return { name: "PostgreSQL", url, pid: Number(pid), [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function redis(): Promise<QueueServer> {
  const server = await withTestRedis();
  return {
    name: "Redis",
    url: server.url,
    pid: server.pid,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Every kind of queue that can be started here. */
export function queueServers(): readonly (() => Promise<QueueServer>)[] {
  const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
  if (!hasRedis) console.log("redis-server is not installed (apt-get install redis-server): PostgreSQL alone");
  return hasRedis ? [postgresServer, redis] : [postgresServer];
}

/** Connections that clients hold to the server now (proc(5), /proc/net/tcp: state 01 is established). */
export function connectionsTo(url: string): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(`:${port}`) === true && state === "01";
  }).length;
}
