import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

const Container = z.object({
  Name: z.string(),
  Service: z.string(),
  State: z.string(),
  ExitCode: z.number(),
  Publishers: z.array(z.object({ URL: z.string(), TargetPort: z.number(), PublishedPort: z.number() })).nullable(),
});
export type Container = z.infer<typeof Container>;

const Inspected = z.object({
  Config: z.object({ Env: z.array(z.string()), User: z.string() }),
  HostConfig: z.object({
    ReadonlyRootfs: z.boolean(),
    CapDrop: z.array(z.string()).nullable(),
    SecurityOpt: z.array(z.string()).nullable(),
  }),
});

/** The project's compose.yaml, run under a name of its own; disposed of with its containers, volumes and networks. */
export class ComposeProject implements AsyncDisposable {
  readonly #env: NodeJS.ProcessEnv;
  readonly #files: readonly string[];
  readonly name = `gakuen-test-${process.pid}`;

  /** `overrides` are paths from the project's folder. */
  constructor(env: NodeJS.ProcessEnv, overrides: readonly string[]) {
    this.#env = { ...process.env, ...env };
    this.#files = ["compose.yaml", ...overrides].flatMap((file) => ["-f", file]);
  }

  /** What `docker` prints; rejects, with what it said, when it fails. */
  async docker(...args: readonly string[]): Promise<string> {
    const { stdout } = await run("docker", args, { cwd: root, env: this.#env, maxBuffer: 64 * 2 ** 20 });
    return stdout.trim();
  }

  compose(...args: readonly string[]): Promise<string> {
    return this.docker("compose", "--progress", "quiet", "-p", this.name, ...this.#files, ...args);
  }

  /** All containers, those that have ended too. */
  async containers(service?: string): Promise<Container[]> {
    const lines = await this.compose("ps", "--all", "--format", "json", ...(service === undefined ? [] : [service]));
    return lines.split("\n").flatMap((line) => (line === "" ? [] : [Container.parse(JSON.parse(line))]));
  }

  async inspect(container: Container): Promise<z.infer<typeof Inspected>> {
    return z.tuple([Inspected]).parse(JSON.parse(await this.docker("inspect", container.Name)))[0];
  }

  exec(container: Container, ...command: readonly string[]): Promise<string> {
    return this.docker("exec", container.Name, ...command);
  }

  /** All that a container of ours has said: services log on standard error. */
  async logs(container: Container): Promise<string> {
    const { stderr } = await run("docker", ["logs", container.Name], { env: this.#env, maxBuffer: 64 * 2 ** 20 });
    return stderr;
  }

  /** Bytes of an image of ours, unpacked. */
  async imageSize(service: string): Promise<number> {
    return Number(await this.docker("image", "inspect", "--format", "{{.Size}}", `${this.name}-${service}`));
  }

  /** Names of what the engine still has of this project. */
  async leftOvers(): Promise<string[]> {
    const label = `label=com.docker.compose.project=${this.name}`;
    const lists = await Promise.all([
      this.docker("ps", "--all", "--quiet", "--filter", label),
      this.docker("volume", "ls", "--quiet", "--filter", label),
      this.docker("network", "ls", "--quiet", "--filter", label),
    ]);
    return lists.flatMap((list) => list.split("\n")).filter((name) => name !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compose("down", "--volumes", "--rmi", "local", "--timeout", "5");
  }
}
