import { setTimeout as delay } from "node:timers/promises";
import { ChunkId, encodeJobId, PlanSettings, type TitleId, VIEWER_PRIORITIES } from "@gakuen/contracts";
import { openEngine, type Engine } from "@gakuen/engine";
import { backgroundPriority } from "@gakuen/pipeline";
import { createHttpServer, type HttpServer, listen } from "@gakuen/platform";
import { insertTitle, moveTitle, savePlan } from "@gakuen/records";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Backend, openBackend } from "../../packages/engine/backend.ts";
import { openQueues, type Queues } from "../../packages/engine/queues.ts";
import {
  chunkJob,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  type TestParts,
  titleInEncoding,
} from "../kaikeishi-uploader/testing.ts";
import { type EncodedFilm, encodeFilm, storeChunk } from "./testing.ts";
import { WaitingRoom } from "./waiting-room.ts";
import { watchRoutes } from "./watch-routes.ts";

const HOLD_MS = 1500;
let parts: TestParts;
let film: PlannedFilm;
let encoded: EncodedFilm;
let engine: Engine;
let backend: Backend;
let queues: Queues;
const servers: HttpServer[] = [];
let waitingRoom: WaitingRoom;
let url: string;
/** Holds requests for longer than a test takes. */
let patientUrl: string;
let title: TitleId;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  engine = await openEngine({ url: parts.databaseUrl, log: parts.log });
  backend = await openBackend({ url: parts.databaseUrl, namespace: "gakuen_queue", worksOnly: false, log: parts.log });
  queues = openQueues(backend, parts.log);
  waitingRoom = new WaitingRoom({ ...parts, engine });
  url = await serve(HOLD_MS);
  patientUrl = await serve(600_000);
  encoded = await encodeFilm(parts, film);
});
afterAll(async () => {
  waitingRoom.close();
  for (const server of servers) {
    server.server.closeAllConnections();
    await server.close();
  }
  await queues.close();
  await backend.close();
  await engine.close();
  await parts[Symbol.asyncDispose]();
});
beforeEach(async () => {
  title = await titleInEncoding(parts, film);
  const jobs = film.plan.chunks.map(async (chunk) => ({
    job: await chunkJob(parts, film, title, chunk.id),
    priority: backgroundPriority(film.plan, chunk, 8),
  }));
  await engine.addGraph({ title, plan: film.planId }, await Promise.all(jobs));
});

function serve(holdMs: number): Promise<string> {
  const server = createHttpServer({ log: parts.log, service: "shoki", version: "0" });
  servers.push(server);
  watchRoutes(server, { ...parts, waitingRoom, holdMs });
  return listen(server, { host: "127.0.0.1", port: 0 });
}

const get = (name: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/watch/${title}/${film.planId}/${name}`, signal ? { signal } : {});

async function priorityOf(chunk: string): Promise<number> {
  const ref = { title, plan: film.planId, chunk: ChunkId.parse(chunk) };
  return (await queues.encode.getJob(encodeJobId(ref)))?.priority ?? 0;
}
const background = (id: string): number => {
  const chunk = film.plan.chunks.find((candidate) => candidate.id === id);
  return chunk ? backgroundPriority(film.plan, chunk, 8) : 0;
};
async function untilUrgent(chunk: string): Promise<number> {
  for (;;) {
    const priority = await priorityOf(chunk);
    if (priority < VIEWER_PRIORITIES) return priority;
    await delay(10);
  }
}

describe("a segment that is not encoded yet", () => {
  test("is waited for, and given as soon as it is stored", async () => {
    const asked = get("v120/1.m4s");
    await untilUrgent("v0-low");
    await storeChunk(parts, film, encoded, title, "v0-low");
    const response = await asked;
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toContain("immutable");
    const [, segment] = encoded.get(ChunkId.parse("v0-low"))?.get("v120") ?? [];
    expect(Buffer.from(await response.arrayBuffer())).toEqual(segment?.bytes);
  });

  test("is given to everybody who waits for it, also its init segment", async () => {
    const asked = Promise.all([get("v120/1.m4s"), get("v120/1.m4s"), get("v120/init.mp4")]);
    await untilUrgent("v0-low");
    await storeChunk(parts, film, encoded, title, "v0-low");
    expect((await asked).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("is refused for now when it does not come, with a time to try again, and no cache keeps that", async () => {
    const began = performance.now();
    const response = await get("v144/5.m4s");
    expect(performance.now() - began).toBeGreaterThanOrEqual(HOLD_MS - 50);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(await response.json()).toMatchObject({ code: "segment.not-ready", retry: true });
  });

  test.each([
    ["paused", "segment.not-ready"],
    ["cancelled", "segment.not-found"],
  ] as const)("is refused at once when its title is %s", async (state, code) => {
    const refused = fetch(`${patientUrl}/watch/${title}/${film.planId}/v144/5.m4s`);
    await untilUrgent("v1");
    await moveTitle(parts.records, title, { from: ["encoding"], to: state });
    expect(await (await refused).json()).toMatchObject({ code, detail: expect.stringContaining(state) });
  });

  test("moves its chunk before all that nobody watches; who asked last comes first", async () => {
    const gone = new AbortController();
    const first = get("v144/1.m4s", gone.signal).catch(() => undefined);
    const earlier = await untilUrgent("v0-rest");
    // Priorities count tenths of seconds.
    await delay(250);
    const second = get("v144/7.m4s", gone.signal).catch(() => undefined);
    const later = await untilUrgent("v1");
    expect(later).toBeLessThan(earlier);
    expect(await priorityOf("a1-0")).toBe(background("a1-0"));
    gone.abort();
    await Promise.all([first, second]);
  });

  test("goes back to its place when its last viewer has left, not before", async () => {
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const asked = [get("v144/5.m4s", leaving.signal), get("v120/9.m4s", staying.signal)].map((answer) =>
      answer.catch(() => undefined),
    );
    await untilUrgent("v1");
    await delay(200);
    leaving.abort();
    await delay(300);
    expect(await priorityOf("v1")).toBeLessThan(VIEWER_PRIORITIES);
    staying.abort();
    while ((await priorityOf("v1")) < VIEWER_PRIORITIES) await delay(10);
    expect(await priorityOf("v1")).toBe(background("v1"));
    await Promise.all(asked);
  });
});

describe("sound that is there before the picture", () => {
  test("is given but for its second segment, which waits for the first picture", async () => {
    await storeChunk(parts, film, encoded, title, "a1-0");
    expect((await get("a1/1.m4s")).status).toBe(200);
    expect((await get("a1/3.m4s")).status).toBe(200);
    const second = get("a1/2.m4s").then(({ status }) => ({ status, after: "it" }));
    await untilUrgent("v0-low");
    expect(await Promise.race([second, delay(200, { after: "a while" })])).toEqual({ after: "a while" });
    await storeChunk(parts, film, encoded, title, "v0-low");
    expect(await second).toMatchObject({ status: 200 });
  });

  test("is given anyway when the picture is not made in time", async () => {
    await storeChunk(parts, film, encoded, title, "a1-0");
    expect((await get("a1/2.m4s")).status).toBe(200);
  });
});

describe("a title that is not planned yet", () => {
  test("is waited for by its manifest's name", async () => {
    const id = `unplanned-${process.pid}` as TitleId;
    const settings = PlanSettings.parse({});
    await insertTitle(parts.records, { id, name: id, source: film.source, settings, priority: 8 });
    const early = await fetch(`${url}/watch/${id}/manifest.mpd`, { redirect: "manual" });
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    const asked = fetch(`${url}/watch/${id}/manifest.mpd`, { redirect: "manual" });
    await delay(100);
    await moveTitle(parts.records, id, { from: ["waiting"], to: "preparing" });
    await savePlan(parts.records, id, film);
    expect((await asked).headers.get("location")).toBe(`/watch/${id}/${film.planId}/manifest.mpd`);
  });
});
