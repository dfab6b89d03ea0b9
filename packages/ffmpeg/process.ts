import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { Readable } from "node:stream";
import { PipelineError } from "@gakuen/contracts";
import { execa, execaSync, type Options } from "execa";

export interface ProcessResult {
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Longest run time; none by default. */
  readonly timeoutMs?: number;
  /** Bound of each of stdout and stderr in characters; 16 Mi by default. */
  readonly maxOutputBytes?: number;
  /** 0 (normal) to 19 (only when nobody else wants the CPU). */
  readonly niceness?: number;
}

export interface StartOptions {
  readonly signal: AbortSignal;
  /** How many pipes the child gets besides the standard ones: fd 3, 4, … Every one must be read to its end. */
  readonly outputs: number;
  readonly niceness?: number;
}

export interface RunningProcess {
  readonly pid: number;
  /** What the child writes to fd 3, 4, … in that order. */
  readonly outputs: readonly Readable[];
  /** The last 8 KiB of what the child wrote to stderr so far. */
  stderrTail(): string;
  /** Settles when the child is gone; a non-zero exit is a result. Rejects only when it could not be started. */
  readonly done: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
  /** Raises the niceness; only root could lower it again. Harmless when the child is gone. */
  yield(niceness: number): void;
  /** SIGKILL to the child's process group; harmless when it is gone. */
  kill(): void;
}

const STDERR_TAIL_BYTES = 8192;
const GRACE_MS = 500;

/**
 * Runs a command to its end and returns what it wrote.
 * Errors: `tool.missing`; `tool.failed` for a non-zero exit, too much output or a timeout; the signal's reason when
 * aborted (SIGTERM, then SIGKILL after half a second).
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<ProcessResult> {
  options.signal.throwIfAborted();
  const [file, ...guarded] = guardedCommand(command, args);
  const child = execa(file, guarded, {
    ...sharedOptions,
    stdin: "ignore",
    cancelSignal: options.signal,
    forceKillAfterDelay: GRACE_MS,
    maxBuffer: options.maxOutputBytes ?? 16 * 1024 * 1024,
    stripFinalNewline: false,
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  lowerPriority(child.pid, options.niceness);
  const result = await child;
  options.signal.throwIfAborted();
  const { stdout, stderr } = result;
  if (!result.failed) return { stdout, stderr };
  if (isMissing(result.code, result.exitCode, stderr)) throw missingTool(command, result);
  throw new PipelineError("tool.failed", failureMessage(command, result, stderr), { cause: result });
}

/**
 * Starts a command whose outputs are streams. An abort kills it at once: ffmpeg answers SIGTERM by finishing its files,
 * which would send a short fragment that looks complete.
 * Errors: `done` rejects with `tool.missing` when there is no such command, `tool.failed` when it cannot be started.
 */
export function startProcess(command: string, args: readonly string[], options: StartOptions): RunningProcess {
  const [file, ...guarded] = guardedCommand(command, args);
  const child = execa(file, guarded, {
    ...sharedOptions,
    buffer: false,
    stdio: ["ignore", "ignore", "pipe", ...Array.from({ length: options.outputs }, () => "pipe" as const)],
    cancelSignal: options.signal,
    killSignal: "SIGKILL",
  } satisfies Options);
  // `done` below tells how it ended; this promise also waits for the pipes, which belong to the caller.
  child.catch(() => undefined);
  lowerPriority(child.pid, options.niceness);

  const { nodeChildProcess } = child;
  const pipes = nodeChildProcess.stdio as readonly (Readable | null)[];
  // stdio above asks for these pipes, so they are there.
  const stderr = pipes[2] as Readable;
  let tail = Buffer.alloc(0);
  stderr.on("data", (bytes: Buffer) => {
    tail = Buffer.concat([tail, bytes]).subarray(-STDERR_TAIL_BYTES);
  });
  const stderrEnd = new Promise<void>((resolve) => stderr.once("close", resolve));

  const exit = new Promise<{ exitCode: number | null; signal: string | null }>((resolve, reject) => {
    nodeChildProcess.once("error", reject);
    nodeChildProcess.once("exit", (exitCode: number | null, signal: string | null) => resolve({ exitCode, signal }));
  });
  const done = exit.then(
    async (ended) => {
      // What it said last may still be in the pipe; a grandchild could hold the pipe open for ever, so not for long.
      await Promise.race([stderrEnd, new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())]);
      if (isMissing(undefined, ended.exitCode, tail.toString())) throw missingTool(command, undefined);
      return ended;
    },
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw missingTool(command, error);
      throw new PipelineError("tool.failed", `${command} could not be started: ${error.message}`, { cause: error });
    },
  );
  // Callers read the pipes first and ask how it ended later; until then a failed start must not count as unhandled.
  done.catch(() => undefined);

  return {
    pid: child.pid ?? -1,
    outputs: pipes.slice(3).map((stream) => stream as Readable),
    stderrTail: () => tail.toString(),
    done,
    yield: (niceness) => lowerPriority(child.pid, niceness),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** `killDescendants` puts the child into its own process group, so Ctrl-C in a terminal reaches only us. */
const sharedOptions = {
  reject: false,
  killDescendants: true,
  cleanup: true,
  windowsHide: true,
} as const satisfies Options;

let parentDeathGuard: readonly string[] | undefined;

/** On Linux the kernel is asked to kill the child with us: nothing of ours runs after a `kill -9`. */
function guardedCommand(command: string, args: readonly string[]): [string, ...string[]] {
  parentDeathGuard ??= findParentDeathGuard();
  const [first, ...rest] = [...parentDeathGuard, command, ...args];
  return [first ?? command, ...rest];
}

function findParentDeathGuard(): readonly string[] {
  if (process.platform !== "linux") return [];
  const guard = ["--pdeathsig", "KILL", "--"];
  // BusyBox has a setpriv without --pdeathsig, so trying it is the only way to know.
  const trial = execaSync("setpriv", [...guard, "true"], { reject: false, stdio: "ignore" });
  return trial.failed ? [] : ["setpriv", ...guard];
}

function lowerPriority(pid: number | undefined, niceness: number | undefined): void {
  if (pid === undefined || niceness === undefined) return;
  try {
    setPriority(pid, niceness);
    // Linux weighs sessions first (sched(7), autogroup) and the child has its own: there its niceness alone does nothing.
    if (process.platform === "linux") writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`);
  } catch {
    // It has already ended, or the system forbids it or has no such file; none is a reason not to do the work.
  }
}

function isMissing(code: string | undefined, exitCode: number | null | undefined, stderr: string): boolean {
  if (code === "ENOENT") return true;
  return (exitCode === 127 || exitCode === 126) && stderr.startsWith("setpriv: failed to execute");
}

function missingTool(command: string, cause: unknown): PipelineError {
  return new PipelineError(
    "tool.missing",
    `${command} cannot be run: it is not installed or not executable. Install it (Debian, Ubuntu: apt-get install ffmpeg; ` +
      `macOS: brew install ffmpeg) or set GAKUEN_FFMPEG and GAKUEN_FFPROBE to where it is.`,
    { cause },
  );
}

function failureMessage(
  command: string,
  result: { timedOut: boolean; isMaxBuffer: boolean; exitCode?: number; signal?: string },
  stderr: string,
): string {
  if (result.timedOut) return `${command} took too long and was stopped`;
  if (result.isMaxBuffer) return `${command} wrote more output than expected and was stopped`;
  const how = result.signal === undefined ? `exit code ${result.exitCode ?? "unknown"}` : `signal ${result.signal}`;
  const said = stderr.trim().slice(-2000);
  return `${command} failed (${how})${said === "" ? "" : `: ${said}`}`;
}
