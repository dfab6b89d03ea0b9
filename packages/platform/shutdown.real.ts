import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

/** Far longer than a test lasts: whoever ends before that did not wait for it. */
const NEVER = 3_600_000;

interface Running extends AsyncDisposable {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** Waits until the child has printed a line. */
  printed(line: string): Promise<void>;
  end(): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(how: "clean" | "failing" | "stuck", graceMs: number): Running {
  const script = new URL("test-process/stop-on-signal.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, how, String(graceMs)], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "close");
  const stderr = text(child.stderr);
  let stdout = "";
  child.stdout.on("data", (data: Buffer) => {
    stdout += data.toString();
  });
  return {
    child,
    async printed(line) {
      while (!stdout.includes(`${line}\n`)) await once(child.stdout, "data");
    },
    async end() {
      await exited;
      return { code: child.exitCode, stdout, stderr: await stderr };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test.each(["SIGINT", "SIGTERM"] as const)("%s stops once, and the process exits with 0", async (signal) => {
  await using process = start("clean", NEVER);
  await process.printed("ready");
  process.child.kill(signal);
  const { code, stdout, stderr } = await process.end();
  expect(code).toBe(0);
  expect(stdout).toBe(`ready\nstopping by ${signal}\nstopped\n`);
  // The log goes to standard error, so that standard output stays a command's own.
  expect(stderr).toContain(`${signal}: stopping`);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("a second signal, %s, exits at once with %i", async (signal, expected) => {
  await using process = start("stuck", NEVER);
  await process.printed("ready");
  process.child.kill("SIGTERM");
  await process.printed("stopping by SIGTERM");
  process.child.kill(signal);
  const { code, stdout } = await process.end();
  expect(code).toBe(expected);
  expect(stdout).toBe("ready\nstopping by SIGTERM\n");
});

test("after the grace time the process exits with the signal's code and says why", async () => {
  await using process = start("stuck", 100);
  await process.printed("ready");
  process.child.kill("SIGINT");
  const { code, stderr } = await process.end();
  expect(code).toBe(130);
  expect(stderr).toContain("not stopped after 0.1 s");
});

test("a stop that fails exits with 1 and logs the error", async () => {
  await using process = start("failing", NEVER);
  await process.printed("ready");
  process.child.kill("SIGTERM");
  const { code, stderr } = await process.end();
  expect(code).toBe(1);
  expect(stderr).toContain("the database does not close");
});
