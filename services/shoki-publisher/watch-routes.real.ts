import { INIT_NUMBER, type TitleId } from "@gakuen/contracts";
import { openEngine, type Engine } from "@gakuen/engine";
import { createHttpServer, type HttpServer, listen } from "@gakuen/platform";
import { findReceipt, moveTitle } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  type TestParts,
  titleInEncoding,
  trackId,
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
/** Planned, nothing of it encoded. */
let planned: TitleId;
/** Planned, the lowest rung's first segment stored. */
let begun: TitleId;
/** Complete and published. */
let ready: TitleId;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  engine = await openEngine({ url: parts.databaseUrl, log: parts.log });
  server = createHttpServer({ log: parts.log, service: "shoki", version: "0" });
  createShoki({ ...parts, engine }).routes(server);
  url = await listen(server, { host: "127.0.0.1", port: 0 });
  encoded = await encodeFilm(parts, film);
  [planned, begun, ready] = [
    await titleInEncoding(parts, film),
    await titleInEncoding(parts, film),
    await titleInEncoding(parts, film),
  ];
  await storeChunk(parts, film, encoded, begun, "v0-low");
  for (const { id } of film.plan.chunks) await storeChunk(parts, film, encoded, ready, id);
  await publishTitle(parts, { title: ready, plan: film.planId });
});
afterAll(async () => {
  server.server.closeAllConnections();
  await server.close();
  await engine.close();
  await parts[Symbol.asyncDispose]();
});

const at = (title: TitleId, name: string): string => `${url}/watch/${title}/${film.planId}/${name}`;
const get = (address: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
  fetch(address, { headers, method, redirect: "manual" });
const FOREVER = "public, max-age=31536000, immutable";

describe("a title that is planned and not encoded", () => {
  test("has a static MPD of its whole length, which is checked anew each time", async () => {
    const response = await get(at(planned, "manifest.mpd"));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/dash+xml");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    const mpd = await response.text();
    expect(mpd).toContain('type="static"');
    expect(mpd).toContain('mediaPresentationDuration="PT12S"');
    expect(mpd.match(/<Representation /g)).toHaveLength(3);
  });

  test("has HLS playlists with every segment and an end", async () => {
    const master = await get(at(planned, "master.m3u8"));
    expect(master.headers.get("content-type")).toBe("application/vnd.apple.mpegurl");
    const playlists = (await master.text()).match(/[a-z0-9]+\.m3u8/g) ?? [];
    expect(new Set(playlists)).toEqual(new Set(["v144.m3u8", "v120.m3u8", "a1.m3u8"]));
    for (const name of playlists) {
      const playlist = await (await get(at(planned, name))).text();
      expect(playlist.match(/\.m4s/g), name).toHaveLength(12);
      expect(playlist).toContain("#EXT-X-ENDLIST");
      expect(playlist).toContain("#EXT-X-PLAYLIST-TYPE:VOD");
    }
  });

  test("is found under its name alone, by an answer that no cache keeps", async () => {
    for (const name of ["manifest.mpd", "master.m3u8"]) {
      const response = await get(`${url}/watch/${planned}/${name}`);
      expect(response.status).toBe(302);
      expect(response.headers.get("location")).toBe(`/watch/${planned}/${film.planId}/${name}`);
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("answers that a manifest has not changed", async () => {
    for (const name of ["manifest.mpd", "master.m3u8", "v144.m3u8"]) {
      const etag = (await get(at(planned, name))).headers.get("etag") ?? "";
      expect(etag).toMatch(/^"[^"]+"$/);
      const again = await get(at(planned, name), { "if-none-match": `"other", W/${etag}` });
      expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
      expect((await get(at(planned, name), { "if-none-match": '"other"' })).status).toBe(200);
    }
  });
});

describe("a segment that is stored", () => {
  test("is given whole, to be kept for ever, with the bytes of its receipt", async () => {
    for (const [name, track, number, type] of [
      ["v120/init.mp4", "v120", INIT_NUMBER, "video/mp4"],
      ["v120/1.m4s", "v120", 1, "video/mp4"],
      ["a1/3.m4s", "a1", 3, "audio/mp4"],
    ] as const) {
      const response = await get(at(ready, name));
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(type);
      expect(response.headers.get("cache-control")).toBe(FOREVER);
      const body = Buffer.from(await response.arrayBuffer());
      const receipt = await findReceipt(parts.records, ready, film.planId, trackId(track), number);
      expect(body.length).toBe(receipt?.bytes);
      expect(response.headers.get("content-length")).toBe(`${receipt?.bytes}`);
      const digest = await crypto.subtle.digest("SHA-256", body);
      expect(Buffer.from(digest).toString("hex")).toBe(receipt?.sha256);
    }
  });

  test("is given by single ranges, from its end too, and refused beyond it", async () => {
    const whole = Buffer.from(await (await get(at(begun, "v120/1.m4s"))).arrayBuffer());
    for (const [range, start, end] of [
      ["bytes=0-99", 0, 100],
      ["bytes=100-", 100, whole.length],
      ["bytes=-50", whole.length - 50, whole.length],
    ] as const) {
      const part = await get(at(begun, "v120/1.m4s"), { range });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${whole.length}`);
      expect(Buffer.from(await part.arrayBuffer())).toEqual(whole.subarray(start, end));
    }
    const beyond = await get(at(begun, "v120/1.m4s"), { range: `bytes=${whole.length}-` });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get("content-range")).toBe(`bytes */${whole.length}`);
    expect(beyond.headers.get("cache-control")).toBe("no-store");
  });

  test("is given by range only if it is still the same (If-Range)", async () => {
    const etag = (await get(at(begun, "v120/1.m4s"))).headers.get("etag") ?? "";
    const range = "bytes=0-9";
    expect((await get(at(begun, "v120/1.m4s"), { range, "if-range": etag })).status).toBe(206);
    expect((await get(at(begun, "v120/1.m4s"), { range, "if-range": '"another"' })).status).toBe(200);
    expect((await get(at(begun, "v120/1.m4s"), { "if-none-match": etag })).status).toBe(304);
  });

  test("tells its length when only asked about (HEAD)", async () => {
    const head = await get(at(ready, "v120/1.m4s"), {}, "HEAD");
    const whole = await (await get(at(ready, "v120/1.m4s"))).arrayBuffer();
    expect(head.headers.get("content-length")).toBe(`${whole.byteLength}`);
  });

  test("tells all else when only asked about (HEAD)", async () => {
    for (const [title, name] of [
      [ready, "v120/1.m4s"],
      [ready, "v120/init.mp4"],
      [planned, "manifest.mpd"],
      [planned, "master.m3u8"],
    ] as const) {
      const whole = await get(at(title, name));
      const head = await get(at(title, name), {}, "HEAD");
      expect([head.status, await head.text()]).toEqual([200, ""]);
      for (const header of ["content-type", "etag", "cache-control"])
        expect(head.headers.get(header), `${header} of ${name}`).toBe(whole.headers.get(header));
      await whole.arrayBuffer();
    }
  });
});

describe("a title that is published", () => {
  test("serves the manifests that lie beside its segments, to be kept for ever", async () => {
    for (const name of ["manifest.mpd", "master.m3u8", "v144.m3u8"]) {
      const response = await get(at(ready, name));
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe(FOREVER);
      const object = await parts.store.get(`titles/${ready}/${film.planId}/${name}`);
      expect(await response.text()).toBe(Buffer.concat(await object.body.toArray()).toString());
    }
  });
});

describe("players on other people's sites", () => {
  test("may read everything, and see what they need of the answers", async () => {
    for (const address of [at(begun, "manifest.mpd"), at(begun, "v120/1.m4s"), at(begun, "v120/99.m4s")]) {
      const { headers } = await get(address, { origin: "https://example.org" });
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-expose-headers")).toContain("content-range");
    }
    const asked = await get(at(begun, "v120/1.m4s"), { origin: "https://example.org" }, "OPTIONS");
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-methods")).toContain("GET");
    expect(asked.headers.get("access-control-allow-headers")).toContain("range");
  });
});

describe("what does not exist", () => {
  test("is a problem that no cache keeps, and is told at once", async () => {
    const otherPlan = "0".repeat(20);
    for (const [address, code] of [
      [at(planned, "v120/13.m4s"), "segment.not-found"],
      [at(planned, "v120/0.m4s"), "segment.not-found"],
      [at(planned, "v120/01.m4s"), "segment.not-found"],
      [at(planned, "v999/1.m4s"), "segment.not-found"],
      [at(planned, "v120/secret.txt"), "segment.not-found"],
      [at(planned, "v999.m3u8"), "segment.not-found"],
      [at(planned, "index.html"), "segment.not-found"],
      [`${url}/watch/${planned}/${otherPlan}/manifest.mpd`, "segment.not-found"],
      [`${url}/watch/nobody-knows/manifest.mpd`, "title.not-found"],
      [`${url}/watch/nobody-knows/${film.planId}/manifest.mpd`, "title.not-found"],
    ] as const) {
      const response = await get(address);
      expect(response.status, address).toBe(404);
      expect(await response.json(), address).toMatchObject({ code });
      expect(response.headers.get("content-type")).toContain("application/problem+json");
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("is also what a cancelled title did not make; what it made can be watched", async () => {
    const title = await titleInEncoding(parts, film);
    await storeChunk(parts, film, encoded, title, "v0-low");
    await moveTitle(parts.records, title, { from: ["encoding"], to: "cancelled" });
    expect((await get(at(title, "v120/1.m4s"))).status).toBe(200);
    expect((await get(at(title, "v120/2.m4s"))).status).toBe(404);
  });

  test("is a title that is being removed", async () => {
    const title = await titleInEncoding(parts, film);
    await moveTitle(parts.records, title, { from: ["encoding"], to: "removing" });
    expect((await get(at(title, "manifest.mpd"))).status).toBe(404);
    expect((await get(at(title, "v120/1.m4s"))).status).toBe(404);
    expect((await get(`${url}/watch/${title}/manifest.mpd`)).status).toBe(404);
  });

  test("is the page of a title that is being removed", async () => {
    const title = await titleInEncoding(parts, film);
    await moveTitle(parts.records, title, { from: ["encoding"], to: "removing" });
    expect((await get(`${url}/watch/${title}`)).status).toBe(404);
  });
});
