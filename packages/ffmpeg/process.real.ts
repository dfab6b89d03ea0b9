import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { runProcess, startProcess } from "./process.ts";

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100 && isAlive(pid); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  return !isAlive(pid);
}

describe("runProcess", () => {
  test("returns what was written", async () => {
    const result = await runProcess("sh", ["-c", "printf out; printf err >&2"], { signal: signal() });
    expect(result).toEqual({ stdout: "out", stderr: "err" });
  });

  test("names a missing executable and how to get it", async () => {
    const missing = runProcess("gakuen-no-such-tool", [], { signal: signal() });
    await expect(missing).rejects.toMatchObject({ code: "tool.missing" });
    await expect(missing).rejects.toThrow(/gakuen-no-such-tool.*apt-get install ffmpeg.*GAKUEN_FFMPEG/s);
  });

  test("tells a failure with what the command said", async () => {
    const failed = runProcess("sh", ["-c", "echo no good >&2; exit 3"], { signal: signal() });
    await expect(failed).rejects.toMatchObject({ code: "tool.failed", message: expect.stringContaining("no good") });
  });

  test("bounds output and time", async () => {
    const endless = runProcess("yes", [], { signal: signal(), maxOutputBytes: 10_000 });
    await expect(endless).rejects.toMatchObject({
      code: "tool.failed",
      message: expect.stringContaining("more output"),
    });
    const slow = runProcess("sleep", ["20"], { signal: signal(), timeoutMs: 100 });
    await expect(slow).rejects.toMatchObject({ code: "tool.failed", message: expect.stringContaining("too long") });
  });

  test("an abort ends even a command that ignores SIGTERM, with the signal's reason", async () => {
    const controller = new AbortController();
    const run = runProcess("sh", ["-c", "trap '' TERM; while :; do sleep 0.1; done"], { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("not wanted any more")), 200);
    await expect(run).rejects.toThrow("not wanted any more");
  });
});

describe("startProcess", () => {
  test("gives each extra pipe as a stream, keeps the end of stderr, and a non-zero exit is a result", async () => {
    const script =
      "printf three >&3; printf four >&4; head -c 20000 /dev/zero | tr '\\0' x >&2; printf end >&2; exit 7";
    const child = startProcess("sh", ["-c", script], { signal: signal(), outputs: 2 });
    const [three, four] = await Promise.all(child.outputs.map((output) => buffer(output)));
    expect(await child.done).toEqual({ exitCode: 7, signal: null });
    expect([three?.toString(), four?.toString()]).toEqual(["three", "four"]);
    expect(child.stderrTail()).toHaveLength(8192);
    expect(child.stderrTail().endsWith("end")).toBe(true);
  });

  test("rejects done, and nothing else, when the executable is missing", async () => {
    const child = startProcess("gakuen-no-such-tool", [], { signal: signal(), outputs: 1 });
    await expect(child.done).rejects.toMatchObject({ code: "tool.missing" });
  });

  test("an abort kills at once, and done settles although nobody reads the pipe", async () => {
    const controller = new AbortController();
    const child = startProcess("sh", ["-c", "trap '' TERM; yes >&3"], { signal: controller.signal, outputs: 1 });
    setTimeout(() => controller.abort(), 200);
    expect(await child.done).toMatchObject({ signal: "SIGKILL" });
    expect(await gone(child.pid)).toBe(true);
  });

  test("runs in its own process group, at the wanted priority", async () => {
    const child = startProcess("sh", ["-c", "sleep 0.3; cut -d' ' -f5,19 /proc/$$/stat >&3"], {
      signal: signal(),
      outputs: 1,
      niceness: 7,
    });
    const [output] = await Promise.all(child.outputs.map((stream) => buffer(stream)));
    expect(output?.toString().trim()).toBe(`${child.pid} 7`);
  });

  test.runIf(process.platform === "linux" && hasParentDeathGuard())("dies with a parent that is killed", async () => {
    const program =
      `import { startProcess } from ${JSON.stringify(new URL("./process.ts", import.meta.url).href)};` +
      `const child = startProcess("sleep", ["60"], { signal: new AbortController().signal, outputs: 0 });` +
      `console.log(child.pid);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    expect(await gone(pid)).toBe(true);
  });
});

function hasParentDeathGuard(): boolean {
  try {
    execFileSync("setpriv", ["--pdeathsig", "KILL", "--", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
