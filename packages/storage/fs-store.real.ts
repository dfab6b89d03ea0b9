import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { describeObjectStore } from "./contract-suite.ts";
import { openFileStore } from "./fs-store.ts";
import { openStore } from "./open-store.ts";
import type { ObjectStore } from "./port.ts";

const bytes = new TextEncoder().encode("some bytes");

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "gakuen-store-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

async function temporaryStore(): Promise<{ root: string; store: ObjectStore } & AsyncDisposable> {
  const folder = await temporaryFolder();
  const root = join(folder.path, "a folder #1");
  return { root, store: await openFileStore(root), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

const incoming = async (root: string): Promise<string[]> => await readdir(join(root, ".incoming"));

async function keysIn(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of store.list("")) keys.push(object.key);
  return keys;
}

describeObjectStore("The file store", temporaryStore);

describe("The file store on its disk", () => {
  test("leaves no temporary file behind, however a put ends", async () => {
    await using opened = await temporaryStore();
    const { root, store } = opened;
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new Error("over");
    }
    await store.put("a/b", bytes);
    await store.putIfAbsent("a/c", bytes);
    await store.putIfAbsent("a/c", bytes);
    await expect(store.put("x/y", failing())).rejects.toThrow("over");
    await expect(store.put("a", bytes)).rejects.toMatchObject({ code: "usage.invalid" });
    expect(await incoming(root)).toEqual([]);
    expect((await readdir(root)).sort()).toEqual([".incoming", "a"]);
  });

  test("asks a body for its next part only when the last one is written", async () => {
    await using opened = await temporaryStore();
    const { root, store } = opened;
    const written: number[] = [];
    async function* watching(): AsyncGenerator<Uint8Array> {
      for (let part = 0; part < 8; part++) {
        const [file = ""] = await incoming(root);
        written.push((await stat(join(root, ".incoming", file))).size);
        yield Buffer.alloc(1000);
      }
    }
    await store.put("a/b", watching());
    expect(written).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000]);
  });

  test("removes the folders that a delete leaves empty, and only those", async () => {
    await using opened = await temporaryStore();
    const { root, store } = opened;
    for (const key of ["titles/t/p/v/1", "titles/t/p/v/2", "titles/u/1"]) await store.put(key, bytes);
    await store.delete("titles/t/p/v/1");
    expect(await readdir(join(root, "titles/t/p"))).toEqual(["v"]);
    await store.delete("titles/t/p/v/2");
    expect(await readdir(join(root, "titles"))).toEqual(["u"]);
    await store.deletePrefix("titles/");
    expect(await readdir(root)).toEqual([".incoming"]);
  });

  test("refuses a name that is a folder of objects, and a folder that is an object", async () => {
    await using opened = await temporaryStore();
    const { store } = opened;
    await store.put("a/b/c", bytes);
    for (const key of ["a", "a/b", "a/b/c/d", "a/b/c/d/e"]) {
      await expect(store.put(key, bytes)).rejects.toMatchObject({ code: "usage.invalid" });
      await expect(store.putIfAbsent(key, bytes)).rejects.toMatchObject({ code: "usage.invalid" });
    }
    expect(await keysIn(store)).toEqual(["a/b/c"]);
  });

  test("is the same store for every process that opens its folder", async () => {
    await using opened = await temporaryStore();
    const { root, store } = opened;
    const other = await openStore(pathToFileURL(root).href);
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => await [store, other][i % 2]?.putIfAbsent("key", bytes)),
    );
    expect(results.filter((result) => result?.stored)).toHaveLength(1);
    expect(await other.stat("key")).toEqual(await store.stat("key"));
  });

  test("shows nothing of a put whose process was killed, and sweeps it at the next opening", async () => {
    await using opened = await temporaryStore();
    const { root, store } = opened;
    const child = fork(new URL("test-process/put-forever.ts", import.meta.url), [root, "killed/key"]);
    const exited = once(child, "exit");
    await once(child, "message");
    // The child is in the middle of its put: its second part is written and there will be more.
    const [file] = await incoming(root);
    expect(file).toContain(`.${child.pid}.`);
    await openFileStore(root);
    expect(await incoming(root)).toEqual([file]);
    child.kill("SIGKILL");
    await exited;

    expect(await store.stat("killed/key")).toBeUndefined();
    expect(await keysIn(store)).toEqual([]);
    expect(await incoming(root)).toEqual([file]);
    await openFileStore(root);
    expect(await incoming(root)).toEqual([]);
    expect((await store.putIfAbsent("killed/key", bytes)).stored).toBe(true);
  });

  test("sweeps what is an hour old or of an earlier run with our process id, and nothing else", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, ".incoming");
    await mkdir(path);
    const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "-");
    const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);
    const beforeUs = new Date(Date.now() - process.uptime() * 1000 - 10_000);
    const files: [string, Date][] = [
      ["elsewhere.1.old", minutesAgo(61)],
      ["elsewhere.1.fresh", minutesAgo(59)],
      [`${host}.${process.pid}.ours`, new Date()],
      [`${host}.${process.pid}.predecessor`, beforeUs],
      [`${host}.${process.ppid}.running`, minutesAgo(59)],
      ["of-unknown-origin", minutesAgo(59)],
    ];
    for (const [name, time] of files) {
      await writeFile(join(path, name), "x");
      await utimes(join(path, name), time, time);
    }
    await openFileStore(folder.path);
    expect((await readdir(path)).sort()).toEqual(
      [
        "elsewhere.1.fresh",
        `${host}.${process.pid}.ours`,
        `${host}.${process.ppid}.running`,
        "of-unknown-origin",
      ].sort(),
    );
  });

  test("says that it is unavailable where its folder cannot be", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "file"), "");
    const opening = openFileStore(join(folder.path, "file/store"));
    await expect(opening).rejects.toMatchObject({ code: "store.unavailable" });
    await expect(opening).rejects.toThrow(join(folder.path, "file/store"));
  });
});

describe("The file store on a full disk", () => {
  const run = promisify(execFile);

  test("says so, leaves nothing, and goes on when there is space again", async (context) => {
    await using folder = await temporaryFolder();
    const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=1m", "gakuen-test", folder.path]).catch(
      (error: unknown) => context.skip(`no small tmpfs can be mounted here: ${String(error)}`),
    );
    expect(mounted).toBeDefined();
    try {
      const store = await openFileStore(folder.path);
      await store.put("a/small", bytes);
      const tooMuch = Buffer.alloc(2 * 1024 * 1024);
      await expect(store.put("b/large", tooMuch)).rejects.toMatchObject({ code: "store.full", retry: true });
      await expect(store.putIfAbsent("b/large", tooMuch)).rejects.toMatchObject({ code: "store.full" });
      expect(await keysIn(store)).toEqual(["a/small"]);
      expect((await readdir(folder.path)).sort()).toEqual([".incoming", "a"]);
      expect((await store.put("b/fits", Buffer.alloc(512 * 1024))).bytes).toBe(512 * 1024);
    } finally {
      await run("umount", [folder.path]);
    }
  });
});
