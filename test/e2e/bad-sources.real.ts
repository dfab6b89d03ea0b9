import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { errorKinds, Problem } from "@gakuen/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emptyFile, noAudio, randomBytes, textFile, truncated } from "../fixtures/index.ts";
import { gakuen, GakuenProcess, temporaryFolder } from "./gakuen-process.ts";

/** Bad input: a coded error that says what to do, nothing left behind, the other titles unaffected. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GakuenProcess;
const web = createServer((request, response) => {
  // Ignores Range, as simple servers do.
  if (request.url === "/no-ranges.mp4")
    response.writeHead(200, { "content-length": 200_000 }).end(Buffer.alloc(200_000));
  else if (request.url === "/broken.mp4") response.writeHead(500).end();
  else response.writeHead(404).end();
});
const webUrl = (): string => `http://127.0.0.1:${(web.address() as AddressInfo).port}`;

beforeAll(async () => {
  folder = await temporaryFolder();
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  server = await GakuenProcess.up(join(folder.path, "data"), [await noAudio()]);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  web.close();
  await folder?.[Symbol.asyncDispose]();
});

const cases: [string, () => Promise<string> | string, keyof typeof errorKinds, RegExp][] = [
  ["a text file", textFile, "source.not-media", /not|video|media/i],
  ["random bytes", randomBytes, "source.not-media", /not|video|media/i],
  ["an empty file", emptyFile, "source.empty", /empty/i],
  ["a download that stopped early", () => truncated("end"), "source.truncated", /again|complete|download/i],
  ["a file that is not there", () => join(folder.path, "nowhere.mp4"), "source.not-found", /nowhere\.mp4/],
  ["a folder", () => folder.path, "source.not-media", /folder|directory/i],
  ["a URL that is not there", () => `${webUrl()}/gone.mp4`, "source.not-found", /404|not/i],
  ["a server that is not there", () => "http://127.0.0.1:59999/film.mp4", "source.unreachable", /reach|connect/i],
  ["a server that ignores ranges", () => `${webUrl()}/no-ranges.mp4`, "source.no-ranges", /range/i],
  ["a server that fails", () => `${webUrl()}/broken.mp4`, "source.unreachable", /500/],
];

test.concurrent.each(cases)(
  "%s is refused by `gakuen encode`",
  async (name, source, code, says) => {
    const out = join(folder.path, `out of ${name}`);
    const { code: exit, stderr } = await gakuen(["encode", await source(), "--out", out, "--json"]);
    const problem = Problem.parse(JSON.parse(stderr.trim().split("\n").at(-1) ?? ""));
    expect(problem.code).toBe(code);
    expect(problem.detail).toMatch(says);
    expect(exit).toBe(errorKinds[code].exit);
    expect(existsSync(out)).toBe(false);
  },
  60_000,
);

test("a file that may not be read is refused and says so", async () => {
  if (process.getuid?.() === 0) return; // root may read everything
  const path = join(folder.path, "locked.mp4");
  await writeFile(path, "x");
  await chmod(path, 0);
  const { code, stderr } = await gakuen(["inspect", path]);
  expect(stderr).toContain("source.permission");
  expect(code).toBe(errorKinds["source.permission"].exit);
});

test("bad titles fail with their codes while the good one completes, and removal leaves nothing", async () => {
  const post = (source: string): Promise<Response> =>
    fetch(new URL("/api/titles", server.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ source }),
    });
  const bad: [string, string][] = [
    [await textFile(), "source.not-media"],
    [await emptyFile(), "source.empty"],
    [`${webUrl()}/no-ranges.mp4`, "source.no-ranges"],
  ];
  const ids = await Promise.all(
    bad.map(async ([source]) => ((await (await post(source)).json()) as { id: string }).id),
  );
  for (const [index, id] of ids.entries()) {
    const title = await waitForFailure(id);
    expect(title.error?.code).toBe(bad[index]?.[1]);
  }
  const good = (await server.titles()).find((title) => !ids.includes(title.id));
  const ready = await server.until(good?.id ?? "", ({ state }) => state === "ready");
  for (const id of [...ids, ready.id]) {
    const removed = await fetch(new URL(`/api/titles/${id}`, server.url), { method: "DELETE" });
    expect(removed.status).toBe(204);
  }
  expect(await server.titles()).toEqual([]);
  expect(await readdir(join(folder.path, "data", "store"))).toEqual([".incoming"]);
});

test("a request that makes no sense is told what is wrong with it", async () => {
  const answer = async (body: string, type = "application/json"): Promise<Problem> =>
    Problem.parse(
      await (
        await fetch(new URL("/api/titles", server.url), { method: "POST", headers: { "content-type": type }, body })
      ).json(),
    );
  expect(await answer("{")).toMatchObject({ status: 400, code: "usage.invalid" });
  expect(await answer("{}")).toMatchObject({ code: "usage.invalid", detail: expect.stringContaining("source") });
  expect(await answer('{"source":"film.mp4"}')).toMatchObject({ detail: expect.stringContaining("full path") });
  expect(await answer('{"source":"ftp://x/film.mp4"}')).toMatchObject({ detail: expect.stringContaining("ftp") });
});

test("a link that leads nowhere is not found", async () => {
  const path = join(folder.path, "link.mp4");
  await mkdir(join(folder.path, "x"), { recursive: true });
  await symlink(join(folder.path, "x", "gone.mp4"), path);
  expect((await gakuen(["inspect", path])).stderr).toContain("source.not-found");
});

async function waitForFailure(id: string) {
  for (let tries = 0; tries < 300; tries++) {
    const title = await server.title(id);
    if (title.state === "failed") return title;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${id} did not fail`);
}
