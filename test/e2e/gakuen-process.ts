import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { TitleList, TitleView } from "@gakuen/contracts";

const bin = fileURLToPath(new URL("../../node_modules/.bin/gakuen", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end. */
export async function gakuen(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Finished> {
  const child = start(args, cwd === undefined ? { env } : { env, cwd });
  const out = collect(child);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...out };
}

/** A Gakuen that runs in a process of its own, as a person would start it, on a free port. */
export class GakuenProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #output: { stdout: string; stderr: string };

  private constructor(child: ChildProcess, url: string, output: { stdout: string; stderr: string }) {
    this.#child = child;
    this.url = url;
    this.#output = output;
  }

  /** When it listens and has taken in the files. */
  static async up(dataDir: string, files: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<GakuenProcess> {
    const child = start(["up", ...files, "--data-dir", dataDir, "--port", "0"], { env });
    const process = await GakuenProcess.#whenReady(child, /Gakuen is up: (\S+)/);
    while ((await process.titles()).length < new Set(files).size) await delay(20);
    return process;
  }

  /** One service in a process of its own, when it listens (an encoder: when it takes chunks). */
  static service(name: string, { env, cwd }: { env: NodeJS.ProcessEnv; cwd?: string }): Promise<GakuenProcess> {
    const child = start([name], cwd === undefined ? { env } : { env, cwd });
    return GakuenProcess.#whenReady(child, name === "otetsudai" ? /"msg":"encoding"/ : /listening on (http[^\s"]+)/);
  }

  /** Any command that runs for a while, when it has said what is waited for. */
  static start(args: readonly string[], says: RegExp): Promise<GakuenProcess> {
    return GakuenProcess.#whenReady(start(args, { env: {} }), says);
  }

  static async #whenReady(child: ChildProcess, ready: RegExp): Promise<GakuenProcess> {
    const output = collect(child);
    for (let waited = 0; waited < 60_000; waited += 50) {
      const said = ready.exec(output.stdout + output.stderr);
      if (said) return new GakuenProcess(child, said[1] ?? "", output);
      if (child.exitCode !== null || child.signalCode !== null) break;
      await delay(50);
    }
    child.kill("SIGKILL");
    throw new Error(`gakuen did not come up:\n${output.stdout}\n${output.stderr}`);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get output(): string {
    return this.#output.stdout + this.#output.stderr;
  }

  async titles(): Promise<TitleView[]> {
    return TitleList.parse(await this.json("/api/titles?limit=200")).titles;
  }

  async title(id: string): Promise<TitleView> {
    return TitleView.parse(await this.json(`/api/titles/${id}`));
  }

  async json(path: string): Promise<unknown> {
    return (await fetch(new URL(path, this.url))).json();
  }

  /** The title as soon as it is as wanted; fails when it fails, or after `timeoutMs`. */
  async until(id: string, wanted: (title: TitleView) => boolean, timeoutMs = 150_000): Promise<TitleView> {
    const giveUp = Date.now() + timeoutMs;
    while (true) {
      const title = await this.title(id);
      if (wanted(title)) return title;
      if (Date.now() > giveUp || title.state === "failed")
        throw new Error(`${id} is ${title.state} at ${title.progress}: ${title.error?.message ?? ""}\n${this.output}`);
      await delay(100);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const closed = once(this.#child, "close");
    this.#child.kill(signal);
    const [code] = (await closed) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGTERM");
  }
}

export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "gakuen-e2e-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

function start(args: readonly string[], { env, cwd }: { env: NodeJS.ProcessEnv; cwd?: string }): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd,
    env: { ...process.env, GAKUEN_LOG_FORMAT: "json", ...env },
  });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (bytes: Buffer) => (output.stdout += bytes.toString()));
  child.stderr?.on("data", (bytes: Buffer) => (output.stderr += bytes.toString()));
  return output;
}
