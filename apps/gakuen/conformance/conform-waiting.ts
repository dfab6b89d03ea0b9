import { TitleView } from "@gakuen/contracts";
import type { PlacedTitles } from "./placed-title.ts";
import { readMpd } from "./read-manifests.ts";
import { demand, demandEqual, eventually, type Report } from "./report.ts";
import type { SampleFilm } from "./sample-film.ts";
import { demandProblem, demandStatus, sendRequest } from "./send-request.ts";
import type { Subject } from "./subject.ts";

interface Waiting {
  readonly subject: Subject;
  readonly report: Report;
  readonly film: SampleFilm;
  readonly titles: PlacedTitles;
}

/** D-3, D-5, D-6 and D-9 of a title that is planned and of which nothing is encoded. */
export async function conformWaiting({ subject, report, film, titles }: Waiting): Promise<void> {
  const get = (path: string, headers: Record<string, string> = {}) =>
    sendRequest(new URL(path, subject.url), { headers });
  await report.check("D-3", "tells of each change of a title as server-sent events", async () => {
    const leaving = new AbortController();
    const response = await fetch(new URL("/api/events", subject.url), { signal: leaving.signal });
    demand(response.headers.get("content-type")?.startsWith("text/event-stream") ?? false, "its type is wrong");
    let told = "";
    const reading = (async () => {
      for await (const bytes of response.body ?? []) told += Buffer.from(bytes).toString("utf8");
    })().catch(() => undefined);
    const id = await titles.place(film);
    const data = await eventually(
      "no event told of the new title",
      () => told.split("\n\n").find((event) => event.startsWith("event: title") && event.includes(`"${id}"`)),
      10_000,
    );
    leaving.abort();
    await reading;
    const parsed = TitleView.safeParse(JSON.parse(/^data: (.*)$/m.exec(data)?.[1] ?? "null"));
    demand(parsed.success, "what the event tells is no title as the schema says");
  });

  const id = await titles.place(film);
  const folder = `/watch/${id}/${film.planId}`;
  await report.check("D-5", "has whole manifests of a title of which nothing is encoded", async () => {
    const answer = await get(`${folder}/manifest.mpd`);
    demandStatus(answer, 200);
    const tracks = readMpd(answer.body.toString("utf8"), `http://shoki${folder}/manifest.mpd`);
    demandEqual(
      "the tracks",
      tracks.map((track) => track.id).toSorted(),
      film.plan.tracks.map((track) => track.id).toSorted(),
    );
    demandStatus(await get(`${folder}/master.m3u8`), 200);
    demandStatus(await get(`/watch/${id}/manifest.mpd`), 302);
  });
  await report.check("D-6", "has them looked at again each time, by ETag", async () => {
    const { headers } = await get(`${folder}/manifest.mpd`);
    demand(/no-cache/.test(headers["cache-control"] ?? ""), `Cache-Control is ${headers["cache-control"]}`);
    demandStatus(await get(`${folder}/manifest.mpd`, { "if-none-match": headers.etag ?? "" }), 304);
  });
  const track = film.plan.tracks.find(({ kind }) => kind === "video")?.id ?? "";
  // Both take as long as a request is held, so they are made side by side.
  const held = get(`${folder}/${track}/1.m4s`);
  const begun = Date.now();
  const served = titles.storeIsKnown ? get(`${folder}/${track}/2.m4s`) : undefined;
  await report.check("D-9", "gives a segment to who waits for it as soon as it is stored", async () => {
    if (!served) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const bytes = await titles.keep(id, film, track, 2);
    const answer = await served;
    demandStatus(answer, 200);
    demand(answer.body.equals(bytes), "its bytes are not those that were stored");
    demand(Date.now() - begun < 5000, "it came late");
  });
  await report.check(
    "D-9",
    "refuses a segment that does not come, after 8 to 10 s, to be asked for again",
    async () => {
      const answer = await held;
      demandProblem(answer, "segment.not-ready");
      const seconds = (Date.now() - begun) / 1000;
      demand(seconds > 7.9 && seconds < 11, `it was held for ${seconds} s`);
    },
  );
}
