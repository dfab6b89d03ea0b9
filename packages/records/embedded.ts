import { PipelineError } from "@gakuen/contracts";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findPostgres } from "./embedded-binaries.ts";
import { type Cluster, dataFolder, prepareCluster, SUPERUSER } from "./embedded-cluster.ts";
import { type RunAs, runAs } from "./embedded-user.ts";
import { lockFolder } from "./folder-lock.ts";
import type { RecordsLog } from "./log.ts";
import { isServerOf, readPostmaster } from "./postmaster-file.ts";

/** A PostgreSQL server of our own, on a loopback port, behind a generated password. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Where the server keeps everything; made when it is not there. Only one process can use it at a time. */
  readonly folder: string;
  readonly log: RecordsLog;
}

const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 60,
  // A few hundred thousand small rows: what the server does not cache itself, the kernel does.
  shared_buffers: "32MB",
  max_wal_size: "256MB",
  wal_level: "minimal",
  max_wal_senders: 0,
  jit: "off",
  // No extra processes for reading.
  io_method: "sync",
  log_timezone: "UTC",
} as const;

/** A server that is killed in a busy moment replays its log before it is ready. */
const READY_WITHIN_MS = 120_000;
const POLL_MS = 20;

/**
 * Starts PostgreSQL in `folder`, making its database the first time. The server lives in a session of its own, so a
 * Ctrl-C meant for us does not reach it, and on Linux it shuts down by itself when we are killed.
 *
 * @throws PipelineError `config.data-dir-in-use`, `config.invalid`, `tool.missing`, `tool.failed`.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const folder = path.resolve(options.folder);
  const { log } = options;
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new PipelineError("config.invalid", `${folder} cannot be made; set GAKUEN_DATA_DIR to another folder`, {
      cause: error,
    });
  });
  const unlock = await lockFolder(folder);
  try {
    const binaries = await findPostgres();
    const as = await runAs(binaries.postgres, folder, dataFolder(folder));
    const cluster = await prepareCluster(folder, binaries.initdb, as);
    await endLeftover(cluster.data, log);
    const { server, port } = await startServer(folder, binaries.postgres, cluster, as);
    log.info({ port, pid: server.pid, folder }, "embedded PostgreSQL is ready");

    let stopping: Promise<void> | undefined;
    server.once("exit", (code, signal) => {
      if (stopping !== undefined) return;
      log.error({ code, signal, file: logFile(folder) }, "embedded PostgreSQL ended by itself; its log says why");
    });
    const stop = (): Promise<void> => {
      stopping ??= shutDown(server).finally(unlock);
      return stopping;
    };
    const url = `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/postgres`;
    return { url, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    unlock();
    throw error;
  }
}

const logFile = (folder: string): string => path.join(folder, "server.log");

/**
 * We hold the lock, so whoever started a server that still runs here is dead. It is about to shut down by itself, or
 * would live on unowned: it is told to, and waited for.
 */
async function endLeftover(data: string, log: RecordsLog): Promise<void> {
  const left = await readPostmaster(data);
  if (left === undefined) return;
  if (await isServerOf(left.pid, data)) {
    log.warn({ pid: left.pid }, "ending an embedded PostgreSQL whose owner was killed");
    const quitAt = Date.now() + 10_000;
    kill(left.pid, "SIGINT");
    while (await isServerOf(left.pid, data)) {
      if (Date.now() > quitAt) kill(left.pid, "SIGQUIT");
      await delay(POLL_MS);
    }
  }
  // Left behind by kill -9 or a power cut. PostgreSQL itself would remove it, unless its pid belongs to someone else now.
  await rm(path.join(data, "postmaster.pid"), { force: true });
}

async function startServer(
  folder: string,
  postgres: string,
  cluster: Cluster,
  as: RunAs,
): Promise<{ server: ChildProcess; port: number }> {
  await rename(logFile(folder), path.join(folder, "server.before.log")).catch(() => undefined);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const server = await spawnServer(folder, postgres, cluster, as, port);
    if (await becomesReady(server, cluster.data)) return { server, port };
    const text = await readFile(logFile(folder), "utf8").catch(() => "");
    // The port was free a moment ago, but someone else was quicker.
    if (tries < 5 && text.includes("could not bind")) continue;
    throw new PipelineError(
      "tool.failed",
      `the embedded PostgreSQL did not start; ${logFile(folder)} ends with: ${text.trim().slice(-600)}`,
    );
  }
}

async function spawnServer(folder: string, postgres: string, cluster: Cluster, as: RunAs, port: number) {
  const options = Object.entries({ ...settings, port }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [command = postgres, ...args] = [...as.prefix, postgres, "-D", cluster.data, ...options];
  const output = await open(logFile(folder), "a", 0o600);
  try {
    const server = spawn(command, args, { detached: true, stdio: ["ignore", output.fd, output.fd], cwd: "/" });
    await once(server, "spawn");
    // The server must not keep a process alive that has nothing else to do.
    server.unref();
    return server;
  } catch (error) {
    throw new PipelineError("tool.failed", `${command} could not be started`, { cause: error });
  } finally {
    await output.close();
  }
}

const hasEnded = (server: ChildProcess): boolean => server.exitCode !== null || server.signalCode !== null;

async function becomesReady(server: ChildProcess, data: string): Promise<boolean> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!hasEnded(server)) {
    const postmaster = await readPostmaster(data);
    if (postmaster?.pid === server.pid && postmaster?.ready) return true;
    if (Date.now() > deadline) {
      await shutDown(server);
      return false;
    }
    await delay(POLL_MS);
  }
  return false;
}

/** Fast shutdown: sessions are cut off, everything is written. Immediate after 10 s: the next start recovers. */
async function shutDown(server: ChildProcess): Promise<void> {
  if (hasEnded(server)) return;
  server.ref();
  const ended = once(server, "exit");
  server.kill("SIGINT");
  const late = setTimeout(() => server.kill("SIGQUIT"), 10_000);
  await ended;
  clearTimeout(late);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new PipelineError("internal", "no port was given");
  return address.port;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
