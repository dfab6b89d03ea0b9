import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
import type { RecordsLog } from "./log.ts";

const silent: RecordsLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let server: Promise<EmbeddedPostgres> | undefined;
let users = 0;

/**
 * An empty database of a real server, for one test or one file of tests. All databases of a process share one server in
 * a temporary folder; it is stopped and removed with the last of them, so keep one open for the whole file (`beforeAll`,
 * `afterAll`) where tests take more.
 */
export async function withTestDatabase(): Promise<{ url: string } & AsyncDisposable> {
  users += 1;
  server ??= startServer();
  const { url } = await server;
  const name = `test_${randomBytes(6).toString("hex")}`;
  await runAlone(url, `create database ${name}`);
  const database = new URL(url);
  database.pathname = `/${name}`;
  return {
    url: database.href,
    [Symbol.asyncDispose]: async () => {
      await runAlone(url, `drop database ${name} with (force)`);
      users -= 1;
      if (users > 0) return;
      const last = await server;
      server = undefined;
      await last?.stop();
    },
  };
}

async function startServer(): Promise<EmbeddedPostgres> {
  const folder = await mkdtemp(path.join(tmpdir(), "gakuen-test-postgres-"));
  const embedded = await startEmbeddedPostgres({ folder, log: silent });
  const stop = async (): Promise<void> => {
    await embedded.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { url: embedded.url, stop, [Symbol.asyncDispose]: stop };
}

async function runAlone(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
