import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AddedTitle, type TitleView } from "@gakuen/contracts";
import { openEngine } from "@gakuen/engine";
import { createLog } from "@gakuen/platform";
import { withTestDatabase } from "@gakuen/records/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberedVideo } from "../fixtures/index.ts";
import { folderChecksums } from "./folder-checksums.ts";
import { gakuen, GakuenProcess, temporaryFolder } from "./gakuen-process.ts";
import { descendants, survivors } from "./process-tree.ts";
import { SlowWeb } from "./slow-web.ts";

/**
 * Each service a process of its own. They share a database, and three of them a store; an encoder has an empty folder,
 * the queue's address, and nothing else.
 */

const names = ["kaichou", "kaikeishi", "shoki", "fukukaichou", "otetsudai-1", "otetsudai-2"] as const;
type Name = (typeof names)[number];
const SECONDS = 40;
const settings = { preset: "ultrafast", rungs: [360, 240] };
/** About five seconds of the source in a second, for each reader. */
const PACE = 200_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let database: Awaited<ReturnType<typeof withTestDatabase>>;
let source: string;
let expected: Record<string, string>;
let environments: Record<Name, NodeJS.ProcessEnv>;
const running = new Map<Name, GakuenProcess>();

beforeAll(async () => {
  folder = await temporaryFolder();
  database = await withTestDatabase();
  source = await numberedVideo({
    rate: "24",
    frames: 24 * SECONDS,
    size: { width: 640, height: 360 },
    sound: { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: SECONDS },
  });
  const out = join(folder.path, "alone");
  const flags = ["--preset", settings.preset, "--rungs", settings.rungs.join(",")];
  expect(await gakuen(["encode", source, "--out", out, ...flags])).toMatchObject({ code: 0 });
  expected = await folderChecksums(out);
  environments = await environmentsOf(folder.path, database.url);
  for (const name of names) await start(name);
});

afterAll(async () => {
  await Promise.all([...running.values()].map((process) => process.kill("SIGKILL")));
  await database?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

async function environmentsOf(root: string, databaseUrl: string): Promise<Record<Name, NodeJS.ProcessEnv>> {
  const [kaichou, kaikeishi, shoki, front] = await freePorts(4);
  const common: NodeJS.ProcessEnv = {
    GAKUEN_SECRET: randomBytes(24).toString("hex"),
    GAKUEN_KAICHOU_URL: `http://127.0.0.1:${kaichou}`,
    GAKUEN_KAIKEISHI_URL: `http://127.0.0.1:${kaikeishi}`,
    GAKUEN_SHOKI_URL: `http://127.0.0.1:${shoki}`,
    GAKUEN_PORT: undefined,
    GAKUEN_DATABASE_URL: undefined,
    GAKUEN_QUEUE_URL: undefined,
    GAKUEN_STORE_URL: undefined,
    GAKUEN_DATA_DIR: join(root, "no-data"),
  };
  const keeper = {
    ...common,
    GAKUEN_DATABASE_URL: databaseUrl,
    GAKUEN_STORE_URL: pathToFileURL(join(root, "store")).href,
    // Each request is logged at this level.
    GAKUEN_LOG_LEVEL: "debug",
  };
  const encoder = async (name: Name): Promise<NodeJS.ProcessEnv> => {
    const [cwd, tmp] = foldersOf(root, name);
    await Promise.all([cwd, tmp].map((path) => mkdir(path, { recursive: true })));
    const { GAKUEN_DATA_DIR: _, ...own } = common;
    return {
      ...own,
      GAKUEN_DATA_DIR: undefined,
      GAKUEN_SECRET: undefined,
      GAKUEN_QUEUE_URL: databaseUrl,
      GAKUEN_SLOTS: "1",
      TMPDIR: tmp,
      // Node's own: compiled code.
      NODE_COMPILE_CACHE: join(root, "compiled"),
    };
  };
  return {
    kaichou: keeper,
    kaikeishi: keeper,
    shoki: keeper,
    fukukaichou: { ...common, GAKUEN_PORT: String(front) },
    "otetsudai-1": await encoder("otetsudai-1"),
    "otetsudai-2": await encoder("otetsudai-2"),
  };
}

const foldersOf = (root: string, name: Name): [cwd: string, tmp: string] => [
  join(root, name, "cwd"),
  join(root, name, "tmp"),
];

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

async function start(name: Name): Promise<GakuenProcess> {
  const [service = ""] = name.split("-");
  const env = environments[name];
  const [cwd] = foldersOf(folder.path, name);
  const process = await GakuenProcess.service(service, service === "otetsudai" ? { env, cwd } : { env });
  running.set(name, process);
  return process;
}

function service(name: Name): GakuenProcess {
  const process = running.get(name);
  if (!process) throw new Error(`${name} was not started`);
  return process;
}

async function add(wish: { source: string; name: string }): Promise<string> {
  const response = await fetch(new URL("/api/titles", service("fukukaichou").url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...wish, settings }),
  });
  expect(response.status).toBe(201);
  return AddedTitle.parse(await response.json()).id;
}

/** A title whose source is read as fast as it can be until it is planned, and at the pace of {@link PACE} from then on. */
async function addSlowly(web: SlowWeb, name: string): Promise<string> {
  const id = await add({ source: web.url, name });
  await until(id, ({ plan }) => plan !== null);
  web.bytesPerSecond = PACE;
  return id;
}

const until = (id: string, wanted: (title: TitleView) => boolean): Promise<TitleView> =>
  service("fukukaichou").until(id, wanted);

const stored = (title: TitleView): Promise<Record<string, string>> =>
  folderChecksums(join(folder.path, "store", "titles", title.id, title.plan ?? ""));

const chunksIn = (output: string): number => output.split('"chunk encoded and stored"').length - 1;
const chunksOf = (name: Name): number => chunksIn(service(name).output);

const encodersAtWork = async (name: Name) =>
  (await descendants(service(name).pid)).filter(({ command }) => command.some((word) => word.endsWith("ffmpeg")));

describe("a local film, taken in through the front door", () => {
  let id: string;

  test("is encoded by two encoders that read it from Kaichou, with the bytes of `gakuen encode`", async () => {
    id = await add({ source, name: "local" });
    const title = await until(id, ({ state }) => state === "ready");
    expect(await stored(title)).toEqual(expected);
    expect(chunksOf("otetsudai-1")).toBeGreaterThan(0);
    expect(chunksOf("otetsudai-2")).toBeGreaterThan(0);
    const reads = service("kaichou").output.split(`"GET /sources/${id}"`).length - 1;
    expect(reads).toBeGreaterThanOrEqual(chunksOf("otetsudai-1") + chunksOf("otetsudai-2"));
    expect(service("kaichou").output).toMatch(/"status":206[^\n]*"GET \/sources\//);
  });

  test("leaves no file with an encoder", async () => {
    for (const name of ["otetsudai-1", "otetsudai-2"] as const)
      for (const path of foldersOf(folder.path, name)) expect(await readdir(path)).toEqual([]);
  });

  test("is shown, told of and played through the front door", async () => {
    const { url } = service("fukukaichou");
    const get = async (path: string, init: RequestInit = {}) => fetch(new URL(path, url), init);
    expect(await (await get("/")).text()).toContain("<title>Gakuen</title>");
    expect(await service("fukukaichou").title(id)).toMatchObject({ state: "ready", name: "local" });
    expect((await get("/api/titles/no-such-title")).status).toBe(404);
    expect((await get(`/watch/${id}`)).headers.get("content-type")).toMatch(/^text\/html/);

    const manifest = await get(`/watch/${id}/manifest.mpd`);
    expect(await manifest.text()).toContain("<MPD");
    // The redirect leads to the same front door, not to the service behind it.
    expect(manifest.url).toMatch(new RegExp(`^${url}/watch/${id}/[0-9a-f]{20}/manifest\\.mpd$`));
    const segment = await get(new URL("v360/1.m4s", manifest.url).href, { headers: { range: "bytes=0-99" } });
    expect(segment.status).toBe(206);
    expect((await segment.arrayBuffer()).byteLength).toBe(100);
    expect(segment.headers.get("access-control-allow-origin")).toBe("*");

    const events = await get("/api/events");
    expect(events.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const reader = events.body?.getReader();
    const other = await add({ source: join(folder.path, "nowhere.mp4"), name: "told of" });
    let told = "";
    while (!told.includes("told of")) told += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
    const removed = await get(`/api/titles/${other}`, { method: "DELETE" });
    expect(removed.status).toBe(204);
  });
});

test("a film from a web server completes with the same bytes though each service is killed in the middle of it", {
  timeout: 180_000,
}, async () => {
  await using web = await SlowWeb.serve(source, Infinity);
  const id = await addSlowly(web, "killed");
  let reached = 0;
  for (const name of names) {
    const { progress } = await until(id, (title) => title.progress > reached);
    reached = progress;
    // Chunks are in hand and stay so until the killed one is back.
    web.held = true;
    const children = await descendants(service(name).pid);
    await service(name).kill("SIGKILL");
    expect(await survivors(children, 10_000)).toEqual([]);
    await start(name);
    web.held = false;
  }
  web.bytesPerSecond = Infinity;
  const title = await until(id, ({ state }) => state === "ready");
  expect(reached).toBeLessThan(1);
  expect(await stored(title)).toEqual(expected);
  expect(web.ranges).toBeGreaterThan(0);
  expect(await readdir(join(folder.path, "store", ".incoming"))).toEqual([]);
});

test("an encoder that is told to stop hands its chunk back, and another finishes it", {
  timeout: 180_000,
}, async () => {
  await service("otetsudai-2").kill("SIGTERM");
  await using web = await SlowWeb.serve(source, Infinity);
  await using queue = await openEngine({ url: database.url, log: createLog({ level: "error", format: "json" }) });
  const id = await addSlowly(web, "handed on");
  await until(id, ({ progress }) => progress > 0);
  web.held = true;
  await expect.poll(() => encodersAtWork("otetsudai-1"), { timeout: 10_000 }).toHaveLength(1);
  const children = await encodersAtWork("otetsudai-1");
  expect((await queue.counts()).encode.active).toBe(1);

  expect(await service("otetsudai-1").kill("SIGTERM")).toBe(0);
  expect(await survivors(children, 1000)).toEqual([]);
  // Handed back and not lost: the chunk of an encoder that dies counts as active until its lock has run out.
  const { active, waiting } = (await queue.counts()).encode;
  expect(active).toBe(0);
  expect(waiting).toBeGreaterThan(0);

  web.bytesPerSecond = Infinity;
  web.held = false;
  await start("otetsudai-2");
  const title = await until(id, ({ state }) => state === "ready");
  expect(await stored(title)).toEqual(expected);
});

test("each service ends by SIGTERM with exit code 0", async () => {
  for (const name of names)
    if (name !== "otetsudai-1") expect([name, await service(name).kill("SIGTERM")]).toEqual([name, 0]);
});

test("`gakuen up` with a database of its own server shares its work with an encoder that joins it", {
  timeout: 120_000,
}, async () => {
  const { GAKUEN_DATABASE_URL, GAKUEN_STORE_URL, GAKUEN_LOG_LEVEL } = environments.shoki;
  const env = { GAKUEN_DATABASE_URL, GAKUEN_STORE_URL, GAKUEN_LOG_LEVEL, GAKUEN_SLOTS: "1" };
  await using up = await GakuenProcess.up(join(folder.path, "up"), [], env);
  await using encoder = await GakuenProcess.service("otetsudai", {
    env: { ...environments["otetsudai-1"], GAKUEN_KAIKEISHI_URL: up.url },
  });
  const response = await fetch(new URL("/api/titles", up.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source, settings }),
  });
  const { id } = AddedTitle.parse(await response.json());
  const title = await up.until(id, ({ state }) => state === "ready");
  expect(await stored(title)).toEqual(expected);
  const chunks = chunksIn(encoder.output);
  expect(chunks).toBeGreaterThan(0);
  expect(chunksIn(up.output)).toBeGreaterThan(0);
  expect(up.output.split(`"GET /sources/${id}"`).length - 1).toBeGreaterThanOrEqual(chunks);
});
