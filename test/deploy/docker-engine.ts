import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startCeph } from "../servers/ceph.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("../servers/docker-engine.sh", import.meta.url));

export interface DockerEngine extends AsyncDisposable {
  readonly env: NodeJS.ProcessEnv;
  /** Files that change compose.yaml for this engine. */
  readonly overrides: readonly string[];
  /** What is not as a user has it, in words. */
  readonly differs: string;
}

/**
 * The Docker Engine of this machine; where none runs, one of our own with stand-ins for the base images, and a Ceph on
 * this host in place of SeaweedFS, because it reaches no registry. The first start of that takes some minutes.
 */
export async function dockerEngine(): Promise<DockerEngine> {
  const runs = await run("docker", ["info"]).then(
    () => true,
    () => false,
  );
  if (runs) return { env: {}, overrides: [], differs: "nothing", [Symbol.asyncDispose]: async () => {} };

  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void (await run(script, ["stop"])));
  const { stdout } = await run(script, ["start"]);
  const engine = Object.fromEntries(stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split("=", 2)])));
  // Where containers reach this host.
  const bridge = await run("ip", ["-json", "-4", "address", "show", "docker0"]);
  const [link] = JSON.parse(bridge.stdout) as [{ addr_info: [{ local: string }] }];
  const ceph = stack.use(await startCeph({ host: link.addr_info[0].local }));
  const opened = stack.move();
  return {
    env: {
      ...engine,
      CEPH_PORT: new URL(ceph.endpoint).port,
      CEPH_ACCESS_KEY: ceph.accessKeyId,
      CEPH_SECRET_KEY: ceph.secretAccessKey,
    },
    overrides: ["test/deploy/compose.stand-in.yaml"],
    differs: "base images from Debian's packages, PostgreSQL 15, and Ceph in place of SeaweedFS",
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
