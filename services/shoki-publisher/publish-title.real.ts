import { setTimeout as delay } from "node:timers/promises";
import { type ChunkRef, planPrefix, type TitleId } from "@gakuen/contracts";
import { openEngine, type Engine } from "@gakuen/engine";
import { createHttpServer, type HttpServer, listen } from "@gakuen/platform";
import { deleteTitle, getTitle, moveTitle } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeChecksums } from "../../test/e2e/store-checksums.ts";
import {
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  type TestParts,
  titleInEncoding,
} from "../kaikeishi-uploader/testing.ts";
import { publishTitle } from "./publish-title.ts";
import { createShoki } from "./shoki.ts";
import { type EncodedFilm, encodeFilm, storeChunk } from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
let encoded: EncodedFilm;
let engine: Engine;
let server: HttpServer;
let url: string;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  engine = await openEngine({ url: parts.databaseUrl, log: parts.log });
  server = createHttpServer({ log: parts.log, service: "shoki", version: "0" });
  createShoki({ ...parts, engine }).routes(server);
  url = await listen(server, { host: "127.0.0.1", port: 0 });
  encoded = await encodeFilm(parts, film);
});
afterAll(async () => {
  server.server.closeAllConnections();
  await server.close();
  await engine.close();
  await parts[Symbol.asyncDispose]();
});

async function stored(without = ""): Promise<{ title: TitleId; plan: ChunkRef["plan"] }> {
  const title = await titleInEncoding(parts, film);
  for (const { id } of film.plan.chunks) if (id !== without) await storeChunk(parts, film, encoded, title, id);
  return { title, plan: film.planId };
}

const objects = (title: TitleId) => storeChecksums(parts.store, planPrefix(title, film.planId));
const published = async (title: TitleId): Promise<boolean> =>
  (await getTitle(parts.records, title))?.published ?? false;

describe("publication", () => {
  test("writes all manifests beside the segments, twice the same", async () => {
    const job = await stored();
    await publishTitle(parts, job);
    expect(await published(job.title)).toBe(true);
    const first = await objects(job.title);
    expect(Object.keys(first)).toEqual(
      expect.arrayContaining(["manifest.mpd", "master.m3u8", "v144.m3u8", "v120.m3u8", "a1.m3u8", "a1/12.m4s"]),
    );
    await publishTitle(parts, job);
    expect(await objects(job.title)).toEqual(first);
  });

  test("says the measured bandwidths and not the plan's estimates", async () => {
    const job = await stored();
    const bandwidths = async () => {
      const response = await fetch(`${url}/watch/${job.title}/${film.planId}/manifest.mpd`);
      return (await response.text()).match(/bandwidth="\d+"/g);
    };
    const estimated = await bandwidths();
    await publishTitle(parts, job);
    expect(await bandwidths()).toHaveLength(estimated?.length ?? 0);
    expect(await bandwidths()).not.toEqual(estimated);
  });

  test("is refused while a segment was never stored", async () => {
    const job = await stored("v1");
    await expect(publishTitle(parts, job)).rejects.toMatchObject({
      code: "encode.incomplete",
      message: expect.stringContaining("v144/2.m4s was never stored"),
    });
    expect(await published(job.title)).toBe(false);
    expect(Object.keys(await objects(job.title))).not.toContain("manifest.mpd");
  });

  test.each([
    ["is gone", (key: string) => parts.store.delete(key), "but has none"],
    ["has another size", (key: string) => parts.store.put(key, Buffer.from("half")), "but has 4"],
  ])("is refused when an object %s", async (_, harm, says) => {
    const job = await stored();
    await harm(`${planPrefix(job.title, job.plan)}v120/7.m4s`);
    await expect(publishTitle(parts, job)).rejects.toMatchObject({
      code: "encode.incomplete",
      message: expect.stringContaining(says),
    });
    expect(await published(job.title)).toBe(false);
  });

  test("does not happen to a title that was cancelled meanwhile", async () => {
    const job = await stored();
    await moveTitle(parts.records, job.title, { from: ["encoding"], to: "cancelled" });
    await publishTitle(parts, job).catch(() => undefined);
    expect(await published(job.title)).toBe(false);
  });

  test("of a title that was removed meanwhile brings no object back", async () => {
    const job = await stored();
    await fetch(`${url}/watch/${job.title}/${film.planId}/manifest.mpd`);
    await parts.store.deletePrefix(planPrefix(job.title, job.plan));
    await deleteTitle(parts.records, job.title);
    await publishTitle(parts, job).catch(() => undefined);
    expect(await objects(job.title)).toEqual({});
  });
});

describe("the stream of events", () => {
  /** Reads events until `enough` says so. */
  async function events(
    query: string,
    during: () => Promise<void>,
    enough: (text: string) => boolean,
  ): Promise<string> {
    const ended = new AbortController();
    const response = await fetch(`${url}/api/events${query}`, { signal: ended.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let text = "";
    let acted: Promise<void> | undefined;
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString();
      acted ??= during();
      if (enough(text)) break;
    }
    await acted;
    ended.abort();
    return text;
  }

  test("tells of a title's states, of its progress, and of its removal", async () => {
    const title = await titleInEncoding(parts, film);
    const told = await events(
      "",
      async () => {
        await storeChunk(parts, film, encoded, title, "v0-low");
        await delay(600);
        await moveTitle(parts.records, title, { from: ["encoding"], to: "cancelled" });
        await delay(600);
        await deleteTitle(parts.records, title);
      },
      (text) => text.includes("event: removed"),
    );
    expect(told).toContain('"state":"encoding"');
    expect(told).toContain(`"progress":${1 / 36}`);
    expect(told).toContain('"state":"cancelled"');
    expect(told).toContain(`event: removed\ndata: {"id":"${title}"}\n\n`);
  });

  test("can be asked for one title alone", async () => {
    const [title, other] = [await titleInEncoding(parts, film), await titleInEncoding(parts, film)];
    const told = await events(
      `?title=${title}`,
      async () => {
        await moveTitle(parts.records, other, { from: ["encoding"], to: "cancelled" });
        await moveTitle(parts.records, title, { from: ["encoding"], to: "failed", error: { code: "c", message: "m" } });
      },
      (text) => text.includes("event: title"),
    );
    expect(told).toContain('"state":"failed"');
    expect(told).not.toContain(other);
  });
});
