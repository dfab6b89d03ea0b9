import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { Client } from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { startEmbeddedPostgres } from "./embedded.ts";
import { findPostgres } from "./embedded-binaries.ts";
import { prepareCluster } from "./embedded-cluster.ts";
import { passThrough, runAs } from "./embedded-user.ts";
import type { RecordsLog } from "./log.ts";
import { isServerOf } from "./postmaster-file.ts";

const log: RecordsLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const folders: string[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  for (const folder of folders.splice(0)) {
    // Ends a server that a killed child left behind, before its folder goes.
    await (await startEmbeddedPostgres({ folder, log })).stop();
    await rm(folder, { recursive: true, force: true });
  }
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "gakuen-embedded-"));
  folders.push(folder);
  return folder;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const serverPid = async (folder: string): Promise<number> =>
  Number.parseInt(await readFile(path.join(folder, "data", "postmaster.pid"), "utf8"), 10);

/** Another process, in a process group of its own, that holds the server until it is killed. Resolves to its URL. */
async function holdInChild(
  folder: string,
  before: readonly string[] = [],
): Promise<{ child: ChildProcess; url: string }> {
  const script = `
    process.on("SIGINT", () => {});
    const { startEmbeddedPostgres } = await import(${JSON.stringify(new URL("./embedded.ts", import.meta.url).href)});
    const none = () => {};
    const log = { debug: none, info: none, warn: none, error: none };
    const server = await startEmbeddedPostgres({ folder: ${JSON.stringify(folder)}, log });
    console.log(server.url);
    setInterval(none, 1000);
  `;
  const [command, ...args] = [...before, process.execPath, "--input-type=module", "-e", script];
  const child = spawn(command ?? process.execPath, args, { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [url] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, url };
}

describe("embedded PostgreSQL", () => {
  test("makes its database once and keeps what is in it, behind a password", async () => {
    const folder = await newFolder();
    {
      await using server = await startEmbeddedPostgres({ folder, log });
      await query(server.url, "create table kept as select 7 as n");
      expect((await stat(path.join(folder, "password"))).mode & 0o777).toBe(0o600);
      await expect(stat(path.join(folder, "password.initdb"))).rejects.toThrow("ENOENT");
    }
    await using again = await startEmbeddedPostgres({ folder, log });
    expect(await query(again.url, "select n from kept")).toEqual([{ n: 7 }]);
    const url = new URL(again.url);
    url.password = "wrong";
    await expect(query(url.href, "select 1")).rejects.toThrow("password authentication failed");
  });

  test("throws a half-made database away", async () => {
    const folder = await newFolder();
    await mkdir(path.join(folder, "data.new"));
    await writeFile(path.join(folder, "data.new", "PG_VERSION"), "18\n");
    await using server = await startEmbeddedPostgres({ folder, log });
    expect(await query(server.url, "select 1 as n")).toEqual([{ n: 1 }]);
  });

  test("a second process is told who uses the folder and what to change", async () => {
    const folder = await newFolder();
    const { child } = await holdInChild(folder);
    await expect(startEmbeddedPostgres({ folder, log })).rejects.toMatchObject({
      code: "config.data-dir-in-use",
      message: expect.stringMatching(new RegExp(`process ${child.pid}\\b.*GAKUEN_DATA_DIR`)),
    });
  });

  test("survives kill -9 of its owner, and is not reached by the owner's Ctrl-C", async () => {
    const folder = await newFolder();
    const { child, url } = await holdInChild(folder);
    await query(url, "create table kept as select 8 as n");
    // What a terminal does: the signal goes to the whole foreground process group.
    process.kill(-Number(child.pid), "SIGINT");
    expect(await query(url, "select n from kept")).toEqual([{ n: 8 }]);

    const before = await serverPid(folder);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await using again = await startEmbeddedPostgres({ folder, log });
    expect(await isServerOf(before, path.join(folder, "data"))).toBe(false);
    expect(await query(again.url, "select n from kept")).toEqual([{ n: 8 }]);
  });

  test("recovers what was committed when owner and server are killed at once", async () => {
    const folder = await newFolder();
    const { child, url } = await holdInChild(folder);
    await query(url, "create table kept as select generate_series(1, 1000) as n");
    const ended = once(child, "exit");
    process.kill(await serverPid(folder), "SIGKILL");
    child.kill("SIGKILL");
    await ended;
    await using again = await startEmbeddedPostgres({ folder, log });
    expect(await query(again.url, "select count(*)::int as n from kept")).toEqual([{ n: 1000 }]);
  });

  test("is not fooled by a number of a process that belongs to somebody else now", async () => {
    const folder = await newFolder();
    await (await startEmbeddedPostgres({ folder, log })).stop();
    await writeFile(path.join(folder, "data", "postmaster.pid"), `${process.pid}\n${folder}/data\n0\n1\n\n\n\nready\n`);
    await using again = await startEmbeddedPostgres({ folder, log });
    expect(await query(again.url, "select 1 as n")).toEqual([{ n: 1 }]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "is made by root though programs and data lie in a private folder",
    async () => {
      const hidden = await mkdtemp(path.join(tmpdir(), "gakuen-private-"));
      try {
        const { initdb } = await findPostgres();
        const native = path.dirname(path.dirname(initdb));
        await cp(native, path.join(hidden, "native"), { recursive: true, verbatimSymlinks: true });
        const folder = path.join(hidden, "postgres");
        await mkdir(folder);
        const bin = (name: string): string => path.join(hidden, "native", "bin", name);
        const as = await runAs(bin("postgres"), folder, path.join(folder, "data"));
        const { data } = await prepareCluster(folder, bin("initdb"), as);
        expect((await stat(path.join(data, "PG_VERSION"))).uid).toBe(as.owner?.uid);
      } finally {
        await rm(hidden, { recursive: true, force: true });
      }
    },
  );

  test.skipIf(process.getuid?.() !== 0)("runs for a user who is not root as well", async () => {
    const folder = await newFolder();
    const nobody = 65_534;
    await chown(folder, nobody, nobody);
    const identity = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
    // The checkout may lie in a private folder of root.
    const { url } = await holdInChild(folder, ["setpriv", ...identity, ...passThrough]);
    expect(await query(url, "select 1 as n")).toEqual([{ n: 1 }]);
    expect((await stat(path.join(folder, "data"))).uid).toBe(nobody);
  });
});
