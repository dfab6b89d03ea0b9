import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { folderChecksums } from "../e2e/folder-checksums.ts";
import { numberedVideo } from "../fixtures/index.ts";
import { conformance, deploy, type Deployment, readyTitle } from "./deployment.ts";

/** Debian's, which has Debian's psycopg; another Python may come first in the path. */
const python = process.env["GAKUEN_PYTHON"] ?? "/usr/bin/python3";
const folder = fileURLToPath(new URL("../../examples/otetsudai-python/", import.meta.url));
const examples = fileURLToPath(new URL("../../docs/contracts/examples/arguments.json", import.meta.url));

let deployment: Deployment;
beforeAll(async () => {
  deployment = await deploy();
});
afterAll(() => deployment[Symbol.asyncDispose]());

/** The encoder in Python, as a person would start it. */
class PythonEncoder implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  output = "";

  constructor(env: NodeJS.ProcessEnv) {
    const own = { PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1", GAKUEN_GRACE_SECONDS: "1" };
    this.#child = spawn(python, [join(folder, "otetsudai.py")], { env: { ...process.env, ...env, ...own } });
    this.pid = this.#child.pid ?? -1;
    this.#ended = new Promise((resolve) => this.#child.once("close", resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (bytes: Buffer) => (this.output += bytes.toString()));
  }

  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

test("the encoder in Python derives every command line that ours does", async () => {
  const child = promisify(execFile)(python, [join(folder, "arguments.py")]);
  createReadStream(examples).pipe(child.child.stdin ?? process.stdout);
  await expect(child).resolves.toMatchObject({ stdout: "", stderr: "" });
});

test.runIf(process.env["GAKUEN_TEST_CONFORMANCE"] === "long")(
  "the encoder in Python keeps the contract of Otetsudai",
  async () => {
    // Its queue's tables are Kaichou's to make.
    await (await deployment.start("kaichou")).kill("SIGTERM");
    await using encoder = new PythonEncoder(deployment.env);
    const args = ["otetsudai", "--url", deployment.urls.kaikeishi, "--pid", `${encoder.pid}`];
    const result = await conformance(args, deployment.env);
    expect(result, encoder.output).toMatchObject({ code: 0, failed: [], skipped: 0 });
    expect(await encoder.stop()).toBe(0);
  },
);

test("beside ours on one title it makes the bytes that ours make alone", async () => {
  const source = await numberedVideo({
    rate: "24",
    frames: 24 * 15,
    size: { width: 320, height: 180 },
    sound: { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: 15 },
  });
  await using _kaichou = await deployment.start("kaichou");
  await using _kaikeishi = await deployment.start("kaikeishi");
  await using ours = await deployment.start("otetsudai");
  const doneByOurs = (): number => ours.output.split('"chunk encoded and stored"').length - 1;
  await using shoki = await deployment.start("shoki");
  const alone = await readyTitle(deployment, shoki, source);
  const before = doneByOurs();
  await using encoder = new PythonEncoder(deployment.env);
  const together = await readyTitle(deployment, shoki, source);
  expect(encoder.output).toContain(" stored");
  expect(doneByOurs()).toBeGreaterThan(before);
  expect(await stored(together)).toEqual(await stored(alone));
});

const stored = (title: string): Promise<Record<string, string>> =>
  folderChecksums(join(deployment.folder, "store", "titles", title));
