import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "gakuen-secret-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

test("a secret is made when it is first asked for, kept for its owner only, and the same ever after", async () => {
  await using folder = await temporaryFolder();
  const env = { GAKUEN_DATA_DIR: join(folder.path, "data") };
  const config = loadConfig({ env });
  expect(await readdir(folder.path)).toEqual([]);
  expect(config.secret).toMatch(/^[\w-]{43}$/);
  expect(config.secret).toBe(loadConfig({ env }).secret);
  const path = join(folder.path, "data/secret");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, "utf8")).toBe(`${config.secret}\n`);
  expect(await readdir(join(folder.path, "data"))).toEqual(["secret"]);
});

test("a secret that was given is used, and no file is made", async () => {
  await using folder = await temporaryFolder();
  const env = { GAKUEN_DATA_DIR: folder.path, GAKUEN_SECRET: "s".repeat(32) };
  expect(loadConfig({ env }).secret).toBe("s".repeat(32));
  expect(await readdir(folder.path)).toEqual([]);
});

test("processes that start at the same time get the same secret", async () => {
  await using folder = await temporaryFolder();
  const script = new URL("test-process/print-secret.ts", import.meta.url).pathname;
  const run = promisify(execFile);
  const runs = Array.from({ length: 4 }, async () => (await run(process.execPath, [script, folder.path])).stdout);
  const secrets = new Set(await Promise.all(runs));
  expect(secrets.size).toBe(1);
  expect([...secrets][0]).toMatch(/^[\w-]{43}$/);
  expect(await readdir(folder.path)).toEqual(["secret"]);
});

test("a secret file that holds none is refused by name and not replaced", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "secret");
  await writeFile(path, "short\n");
  const config = loadConfig({ env: { GAKUEN_DATA_DIR: folder.path } });
  expect(() => config.secret).toThrow(path);
  expect(await readFile(path, "utf8")).toBe("short\n");
});

test("a data folder that cannot be made is told with what to change", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  const config = loadConfig({ env: { GAKUEN_DATA_DIR: join(folder.path, "file/data") } });
  expect(() => config.secret).toThrow(/GAKUEN_DATA_DIR.*GAKUEN_SECRET/);
});
