import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sendSignal } from "./send-signal.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("ceph-s3.sh", import.meta.url));

/** The script's word for "not on this machine". */
const CANNOT = 3;

interface CephPids {
  /** The gateway, which speaks S3. */
  readonly rgw: number;
  /** The daemon that keeps the objects. */
  readonly osd: number;
  readonly mon: number;
}

export interface Ceph extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** `arn:aws:iam:::user/guest`, who may do nothing until a bucket's policy says so. */
  readonly guest: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The daemons that run now; others after a restart. */
  readonly pids: CephPids;
  /** Kills all daemons at once, as a power cut would. */
  killHard(): Promise<void>;
  /** Starts again, or anew, at the same address with the data kept. */
  restart(): Promise<void>;
}

/**
 * Why no Ceph can run on this machine, for a test's `skip`; undefined when one can. The first call on a machine installs
 * it, which takes some two minutes.
 */
export async function cephMissing(): Promise<string | undefined> {
  try {
    await run(script, ["install"]);
    return undefined;
  } catch (error) {
    if (isExit(error, CANNOT)) return error.stderr.trim();
    throw error;
  }
}

/**
 * A real S3 server: a one-node Ceph with an empty store of its own, in a temporary folder that goes with it. It listens
 * on `host` (127.0.0.1; an address of this network host) and `port` (any that is free). Takes about 10 s, 400 MB.
 */
export async function startCeph({ host = "127.0.0.1", port }: { host?: string; port?: number } = {}): Promise<Ceph> {
  const dir = await mkdtemp(join(tmpdir(), "gakuen-ceph-"));
  const address = [String(port ?? (await freePort(host))), host];
  const start = async (): Promise<Readonly<Record<string, string>>> => {
    const { stdout } = await run(script, ["start", dir, ...address]);
    return Object.fromEntries(stdout.split("\n").map((line) => line.split("=", 2) as [string, string]));
  };
  // A test that crashes disposes of nothing.
  const onExit = (): void => void spawnSync(script, ["stop", dir]);
  process.once("exit", onExit);
  const stop = async (): Promise<void> => {
    process.off("exit", onExit);
    await run(script, ["stop", dir]);
    await rm(dir, { recursive: true, force: true });
  };

  let said: Readonly<Record<string, string>>;
  try {
    said = await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const value = (name: string): string => said[name] ?? "";
  const pids = (): CephPids => ({
    rgw: Number(value("RGW_PID")),
    osd: Number(value("OSD_PID")),
    mon: Number(value("MON_PID")),
  });
  return {
    endpoint: value("AWS_ENDPOINT_URL_S3"),
    accessKeyId: value("AWS_ACCESS_KEY_ID"),
    secretAccessKey: value("AWS_SECRET_ACCESS_KEY"),
    region: value("AWS_REGION"),
    guest: { accessKeyId: value("GUEST_ACCESS_KEY_ID"), secretAccessKey: value("GUEST_SECRET_ACCESS_KEY") },
    get pids() {
      return pids();
    },
    async killHard() {
      const killed = Object.values(pids()) as number[];
      for (const pid of killed) sendSignal(pid, "SIGKILL");
      while (killed.some((pid) => sendSignal(pid, 0))) await sleep(20);
    },
    async restart() {
      said = await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

interface FailedRun extends Error {
  readonly code: number;
  readonly stderr: string;
}

function isExit(error: unknown, code: number): error is FailedRun {
  return error instanceof Error && "code" in error && error.code === code && "stderr" in error;
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, host, resolve);
  await promise;
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
