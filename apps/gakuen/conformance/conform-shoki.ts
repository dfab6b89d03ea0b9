import { Plan, planIdOf, segmentSpans, TitleList, TitleView, type Track } from "@gakuen/contracts";
import { readFragment, readInit } from "@gakuen/media";
import { z } from "zod";
import { conformWaiting } from "./conform-waiting.ts";
import { openPlacedTitles } from "./placed-title.ts";
import { readMasterPlaylist, readMediaPlaylist, readMpd, type ToldTrack } from "./read-manifests.ts";
import { demand, demandEqual, type Report } from "./report.ts";
import { makeSampleFilm } from "./sample-film.ts";
import { type Answer, demandProblem, demandStatus, readJson, sendRequest } from "./send-request.ts";
import type { Subject } from "./subject.ts";

/** Asks a Shoki for a title that is ready, and, where its database is known, for one that is still to be encoded. */
export async function conformShoki(subject: Subject, report: Report): Promise<void> {
  const get = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> =>
    sendRequest(new URL(path, subject.url), { method, headers });

  await report.check("G-6", "says that it is up", async () => demandStatus(await get("/healthz"), 200));
  const ready = await catalogue(subject, report, get);
  if (ready) await watching(ready, report, get);
  else
    report.skip("D-5", "serves a title that is ready", "there is none; give --title, or add one and let it be encoded");
  if (subject.config.databaseUrl === undefined)
    return report.skip(
      "D-9",
      "holds requests for what is still to be made",
      "give --database-url: the kit puts a title there",
    );
  await using film = await makeSampleFilm(await subject.tools());
  await using titles = await openPlacedTitles(subject);
  await conformWaiting({ subject, report, film, titles });
}

type Get = (path: string, headers?: Record<string, string>, method?: string) => Promise<Answer>;

async function catalogue(subject: Subject, report: Report, get: Get): Promise<TitleView | undefined> {
  let ready: TitleView | undefined;
  await report.check("D-1", "lists titles as the schema says, page by page, without repeating any", async () => {
    const seen: string[] = [];
    let path: string | undefined = "/api/titles?limit=1";
    while (path !== undefined) {
      const answer = await get(path);
      demandStatus(answer, 200);
      const page: TitleList = readJson(answer, TitleList, "the page");
      demand(page.titles.length <= 1, "a page of one has more");
      seen.push(...page.titles.map(({ id }) => id));
      ready ??= page.titles.find(({ id, state }) => state === "ready" && (subject.title ?? id) === id);
      path = page.next === null ? undefined : `/api/titles?limit=1&after=${encodeURIComponent(page.next)}`;
    }
    demandEqual("how many different ones", new Set(seen).size, seen.length);
  });
  for (const query of ["limit=0", "limit=201", "limit=x", "state=unheard-of", "after=not-a-cursor"])
    await report.check(
      "D-1",
      `refuses ?${query}`,
      async () => void demandProblem(await get(`/api/titles?${query}`), "usage.invalid"),
    );
  await report.check("D-2", "answers 404 for a title that does not exist", async () => {
    for (const path of [
      "/api/titles/no-such-title",
      "/api/titles/no-such-title/plan",
      "/api/titles/no-such-title/inspection",
    ])
      demandProblem(await get(path), "title.not-found");
  });
  await report.check("D-2", "answers 400 for what cannot be a title's id", async () => {
    demandProblem(await get("/api/titles/NOT_AN_ID"), "usage.invalid");
  });
  return ready;
}

async function watching(title: TitleView, report: Report, get: Get): Promise<void> {
  const folder = `/watch/${title.id}/${title.plan}`;
  let plan: Plan | undefined;
  await report.check(
    "D-2",
    "gives title and plan as their schemas say; the plan's id is the hash of what it says",
    async () => {
      readJson(await get(`/api/titles/${title.id}`), TitleView, "the title");
      const answer = await get(`/api/titles/${title.id}/plan`);
      plan = readJson(answer, Plan, "the plan");
      demandEqual("the plan's id (G-1)", planIdOf(JSON.parse(answer.body.toString("utf8"))), title.plan);
    },
  );
  await report.check("D-4", "leads to the manifests of the current plan by a path", async () => {
    for (const name of ["manifest.mpd", "master.m3u8"]) {
      const answer = await get(`/watch/${title.id}/${name}`);
      demandStatus(answer, 302);
      demandEqual("Location", answer.headers.location, `${folder}/${name}`);
      demand(/no-store/.test(answer.headers["cache-control"] ?? ""), "the redirect may be kept in a cache");
    }
    demandType(await get(`/watch/${title.id}`), "text/html");
  });
  if (!plan) return;
  const dash = await readDash(report, get, folder, plan);
  await readHls(report, get, folder, plan);
  await caching(report, get, folder, dash);
  await report.check("D-10", "answers 404 at once for what the plan does not have", async () => {
    const track = plan?.tracks[0]?.id ?? "";
    for (const path of [
      `${folder}/${track}/999999.m4s`,
      `${folder}/${track}/0.m4s`,
      `${folder}/nothing/1.m4s`,
      `${folder}/other.mpd`,
    ])
      demandProblem(await get(path), "segment.not-found");
    demandProblem(await get(`/watch/${title.id}/${"0".repeat(20)}/manifest.mpd`), "segment.not-found");
    demandProblem(await get("/watch/no-such-title/manifest.mpd"), "title.not-found");
  });
}

async function readDash(report: Report, get: Get, folder: string, plan: Plan): Promise<ToldTrack[]> {
  let tracks: ToldTrack[] = [];
  await report.check("D-5", "names every segment of the plan in a static MPD, at its exact time", async () => {
    const answer = await get(`${folder}/manifest.mpd`);
    demandStatus(answer, 200);
    demandType(answer, "application/dash+xml");
    const text = answer.body.toString("utf8");
    demand(!/type="dynamic"/.test(text), "it is dynamic");
    // Paths alone are asked for; the host is only there to resolve against.
    tracks = readMpd(text, `http://shoki${folder}/manifest.mpd`);
    demandEqual("the tracks", tracks.map(({ id }) => id).toSorted(), plan.tracks.map(({ id }) => id).toSorted());
    for (const told of tracks) {
      const track = plan.tracks.find(({ id }) => id === told.id);
      if (!track) continue;
      demandEqual(`codecs of ${told.id}`, told.codecs, track.codec);
      demandTimes(track, told.starts, 0);
    }
  });
  await report.check("D-5", "serves the segments that the MPD names, and they are what it says", async () => {
    for (const told of tracks) {
      const track = plan.tracks.find(({ id }) => id === told.id);
      if (track) await demandSegments(get, track, told);
    }
  });
  return tracks;
}

/** D-6 */
function demandType({ headers }: Answer, type: string): void {
  const told = headers["content-type"] ?? "";
  demand(told.startsWith(type), `its type is ${told}, not ${type}`);
}

/** @param slack seconds by which a start may differ */
function demandTimes(track: Track, starts: readonly number[], slack: number): void {
  const planned = [...segmentSpans(track)].map(({ start }) => start / track.timescale);
  demandEqual(`segments of ${track.id}`, starts.length, planned.length);
  for (const [index, start] of planned.entries())
    demand(
      Math.abs(start - (starts[index] ?? NaN)) <= slack,
      `segment ${index + 1} of ${track.id} begins at ${starts[index]}, not ${start}`,
    );
}

/** The init segment, and of the media segments the first, one in the middle and the last. */
async function demandSegments(get: Get, track: Track, told: ToldTrack): Promise<void> {
  const init = await get(new URL(told.init).pathname);
  demandStatus(init, 200);
  const info = readInit(init.body);
  demandEqual(`the init segment of ${track.id}`, [info.codec, info.timescale], [track.codec, track.timescale]);
  const spans = [...segmentSpans(track)];
  for (const index of new Set([0, Math.floor(spans.length / 2), spans.length - 1])) {
    const answer = await get(new URL(told.segments[index] ?? "").pathname);
    demandStatus(answer, 200);
    const fragment = readFragment(answer.body, info);
    const span = spans[index];
    demandEqual(
      `segment ${index + 1} of ${track.id}`,
      [fragment.decodeTime, fragment.duration],
      [span?.start, span?.duration],
    );
    const type = answer.headers["content-type"];
    demandEqual("its type", type, track.kind === "video" ? "video/mp4" : "audio/mp4");
  }
}

async function readHls(report: Report, get: Get, folder: string, plan: Plan): Promise<void> {
  await report.check("D-5", "names every segment of the plan in closed HLS playlists", async () => {
    const master = await get(`${folder}/master.m3u8`);
    demandStatus(master, 200);
    demandType(master, "application/vnd.apple.mpegurl");
    const names = new Set(readMasterPlaylist(master.body.toString("utf8"), `http://shoki${folder}/master.m3u8`));
    demandEqual("how many playlists it names", names.size, plan.tracks.length);
    for (const name of names) {
      const answer = await get(new URL(name).pathname);
      demandStatus(answer, 200);
      const told = readMediaPlaylist(answer.body.toString("utf8"), name);
      const track = plan.tracks.find(({ id }) => told.init.includes(`/${id}/`));
      demand(track !== undefined, `${told.init} lies in no track's folder (S-1)`);
      demandTimes(track, told.starts, 0.001);
      demandStatus(await get(new URL(told.segments.at(-1) ?? "").pathname, {}, "HEAD"), 200);
    }
  });
}

async function caching(report: Report, get: Get, folder: string, tracks: readonly ToldTrack[]): Promise<void> {
  const path = new URL(tracks[0]?.segments[0] ?? "http://shoki/").pathname;
  const whole = await get(path);
  const { etag = "" } = whole.headers;
  const size = whole.body.length;
  await report.check("D-7", "lets segments be kept for a year, with a strong ETag", async () => {
    demandEqual("Cache-Control", whole.headers["cache-control"], "public, max-age=31536000, immutable");
    demand(/^"[^"]+"$/.test(etag), `ETag is ${etag}`);
    demandStatus(await get(path, { "if-none-match": etag }), 304);
    demandStatus(await get(path, { "if-none-match": '"another"' }), 200);
    const manifest = await get(`${folder}/manifest.mpd`);
    demandStatus(await get(`${folder}/manifest.mpd`, { "if-none-match": manifest.headers.etag ?? "" }), 304);
  });
  const ranges: [string, number, number][] = [
    ["bytes=0-99", 0, 100],
    [`bytes=${size - 10}-`, size - 10, size],
    ["bytes=-20", size - 20, size],
    [`bytes=10-${size + 1000}`, 10, size],
  ];
  for (const [range, start, end] of ranges)
    await report.check("D-7", `answers Range: ${range}`, async () => {
      const part = await get(path, { range });
      demandStatus(part, 206);
      demandEqual("Content-Range", part.headers["content-range"], `bytes ${start}-${end - 1}/${size}`);
      demand(part.body.equals(whole.body.subarray(start, end)), "the bytes are not those of the range");
    });
  await report.check("D-7", "answers 416 beyond the end, and the whole where If-Range does not match", async () => {
    const beyond = await get(path, { range: `bytes=${size}-` });
    demandStatus(beyond, 416);
    demandEqual("Content-Range", beyond.headers["content-range"], `bytes */${size}`);
    demand(/no-store/.test(beyond.headers["cache-control"] ?? ""), "416 may be kept in a cache");
    demandStatus(await get(path, { range: "bytes=0-9", "if-range": '"another"' }), 200);
    demandStatus(await get(path, { range: "bytes=0-9", "if-range": etag }), 206);
  });
  await report.check("D-7", "answers HEAD as GET, without a body", async () => {
    const head = await get(path, {}, "HEAD");
    demandStatus(head, 200);
    const told = z.object({ "content-length": z.string(), etag: z.string(), "content-type": z.string() });
    demandEqual("its headers", told.parse(head.headers), {
      ...told.parse({ ...whole.headers, "content-length": `${size}` }),
    });
  });
  await report.check("D-8", "is open to players on other sites, refusals included", async () => {
    for (const answer of [whole, await get(`${folder}/manifest.mpd`), await get(`${folder}/nothing/1.m4s`)])
      demandEqual("Access-Control-Allow-Origin", answer.headers["access-control-allow-origin"], "*");
    const asked = await get(
      path,
      {
        origin: "https://example.org",
        "access-control-request-method": "GET",
        "access-control-request-headers": "range",
      },
      "OPTIONS",
    );
    demandStatus(asked, 204);
    demand(/GET/.test(asked.headers["access-control-allow-methods"] ?? ""), "GET is not allowed");
    demand(/range/i.test(asked.headers["access-control-allow-headers"] ?? ""), "the header range is not allowed");
  });
}
