import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AddedTitle } from "@gakuen/contracts";
import { withTestDatabase } from "@gakuen/records/testing";
import { z } from "zod";
import { gakuen, GakuenProcess, temporaryFolder } from "../e2e/gakuen-process.ts";

/** A database and a store, and services on them in processes of their own. */
export interface Deployment extends AsyncDisposable {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly urls: Readonly<Record<"kaichou" | "kaikeishi" | "shoki", string>>;
  /** The environment of every process of it, of programs that are no Gakuen too. */
  readonly env: NodeJS.ProcessEnv;
  /** Starts a service; it is ended with the deployment at the latest. */
  start(service: string): Promise<GakuenProcess>;
}

export async function deploy(): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const database = stack.use(await withTestDatabase());
  const [kaichou, kaikeishi, shoki] = await freePorts(3);
  const urls = {
    kaichou: `http://127.0.0.1:${kaichou}`,
    kaikeishi: `http://127.0.0.1:${kaikeishi}`,
    shoki: `http://127.0.0.1:${shoki}`,
  };
  const env: NodeJS.ProcessEnv = {
    GAKUEN_SECRET: randomBytes(24).toString("hex"),
    GAKUEN_KAICHOU_URL: urls.kaichou,
    GAKUEN_KAIKEISHI_URL: urls.kaikeishi,
    GAKUEN_SHOKI_URL: urls.shoki,
    GAKUEN_DATABASE_URL: database.url,
    GAKUEN_QUEUE_URL: database.url,
    GAKUEN_STORE_URL: pathToFileURL(join(folder.path, "store")).href,
    GAKUEN_DATA_DIR: join(folder.path, "no-data"),
    GAKUEN_PORT: undefined,
    GAKUEN_SLOTS: "2",
  };
  const running = new Set<GakuenProcess>();
  stack.defer(async () => {
    await Promise.all([...running].map((process) => process.kill("SIGKILL")));
  });
  const opened = stack.move();
  return {
    folder: folder.path,
    databaseUrl: database.url,
    urls,
    env,
    async start(service) {
      const process = await GakuenProcess.service(service, { env });
      running.add(process);
      return process;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Takes a film in and waits until all of it is encoded; the title's id. All services must run. */
export async function readyTitle({ urls }: Deployment, shoki: GakuenProcess, source: string): Promise<string> {
  const response = await fetch(new URL("/api/titles", urls.kaichou), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source, settings: { preset: "ultrafast", rungs: [180, 120], segmentSeconds: 1 } }),
  });
  const { id } = AddedTitle.parse(await response.json());
  await shoki.until(id, ({ state }) => state === "ready");
  return id;
}

const Told = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  checks: z.array(z.object({ clause: z.string(), promise: z.string(), result: z.string(), reason: z.string() })),
});

/** Runs `gakuen conformance`; the exit code and what it told. */
export async function conformance(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await gakuen(["conformance", ...args, "--json"], env);
  const told = Told.safeParse(stdout === "" ? undefined : JSON.parse(stdout));
  if (!told.success) throw new Error(`gakuen conformance ${args.join(" ")} ended with ${code}: ${stderr}`);
  const { checks, passed, skipped } = told.data;
  const failed = checks
    .filter(({ result }) => result === "fail")
    .map((check) => `${check.clause} ${check.promise}: ${check.reason}`);
  return { code, failed, passed, skipped };
}
