import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Kills it with `kill -9` and starts it again on what it has written. */
  restart(): Promise<void>;
}

/** A Redis of one test, empty, in a temporary folder; `config` are options of its command line. */
export async function withTestRedis(config: readonly string[] = ["--appendonly", "yes"]): Promise<TestRedis> {
  const folder = await mkdtemp(path.join(tmpdir(), "gakuen-test-redis-"));
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", folder, "--save", "", ...config];
  let server = await start(args);
  const kill = (): boolean => server.kill("SIGKILL");
  const end = async (): Promise<void> => {
    const ended = once(server, "exit");
    if (kill()) await ended;
  };
  process.once("exit", kill);
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid ?? 0,
    restart: async () => {
      await end();
      server = await start(args);
    },
    [Symbol.asyncDispose]: async () => {
      process.off("exit", kill);
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function start(args: readonly string[]): Promise<ChildProcess> {
  const server = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(server, "spawn").catch((error: unknown) => {
    throw new Error("redis-server is not installed: apt-get install redis-server", { cause: error });
  });
  let output = "";
  for await (const text of server.stdout.iterator({ destroyOnReturn: false })) {
    output += String(text);
    if (output.includes("Ready to accept connections")) break;
  }
  server.stdout.resume();
  if (server.exitCode !== null) throw new Error(`redis-server ended:\n${output}`);
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
