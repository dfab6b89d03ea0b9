import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { writeFile } from "node:fs/promises";
import { AddedTitle, type ErrorCode, type TitleState, TitleView } from "@gakuen/contracts";
import { createTokens } from "@gakuen/platform";
import { conformJobs } from "./conform-jobs.ts";
import { isHeldOpen, type PlayedSource, playSource, sourcePath } from "./played-source.ts";
import { demand, demandEqual, eventually, type Report } from "./report.ts";
import { makeSampleFilm, type SampleFilm } from "./sample-film.ts";
import { type Answer, demandProblem, demandStatus, readJson, sendRequest } from "./send-request.ts";
import type { Subject } from "./subject.ts";

/** What the kit asks a Kaichou for; titles that it added are removed at the end. */
export interface KaichouClient extends AsyncDisposable {
  post(path: string, body?: unknown): Promise<Answer>;
  send(method: string, path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Takes a source in, as the schema says; its id. */
  add(source: string, more?: object): Promise<string>;
  /** The title as Shoki tells of it. */
  title(id: string): Promise<TitleView>;
  reaches(id: string, state: TitleState): Promise<TitleView>;
}

/** Gives a Kaichou sources, good and bad, and looks at what becomes of them: through Shoki, which lists titles. */
export async function conformKaichou(subject: Subject, report: Report): Promise<void> {
  await using film = await makeSampleFilm(await subject.tools());
  const source = playSource(film.path);
  const server = createServer((request, response) => {
    source.serve(request, response).then(
      (served) => served || response.writeHead(404).end(),
      () => response.destroy(),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using client = kaichouClient(subject);
    await report.check("G-6", "says that it is up", async () =>
      demandStatus(await client.send("GET", "/healthz"), 200),
    );
    await takingIn(client, report, film);
    await badSources(client, report, film, base);
    await stopping(client, report, source, base);
    await sourceBytes(client, report, film, subject);
    await conformJobs({ subject, report, client, film });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function kaichouClient({ url, config }: Subject): KaichouClient {
  const added: string[] = [];
  const client: KaichouClient = {
    post: (path, body) =>
      sendRequest(new URL(path, url), {
        method: "POST",
        ...(body !== undefined && {
          body: typeof body === "string" ? body : JSON.stringify(body),
          headers: { "content-type": "application/json" },
        }),
      }),
    send: (method, path, headers = {}) => sendRequest(new URL(path, url), { method, headers }),
    async add(source, more = {}) {
      const answer = await client.post("/api/titles", {
        source,
        settings: { preset: "ultrafast", rungs: [144], segmentSeconds: 1 },
        ...more,
      });
      demandStatus(answer, 201);
      const { id } = readJson(answer, AddedTitle, "the answer");
      added.push(id);
      demandEqual("Location", answer.headers.location, `/api/titles/${id}`);
      return id;
    },
    async title(id) {
      const answer = await sendRequest(new URL(`/api/titles/${id}`, config.shokiUrl));
      demandStatus(answer, 200);
      return readJson(answer, TitleView, "the title");
    },
    async reaches(id, state) {
      let last = "";
      return await eventually(`the title did not become ${state}`, async () => {
        const title = await client.title(id);
        last = title.state;
        return last === state ? title : undefined;
      });
    },
    async [Symbol.asyncDispose]() {
      for (const id of added) await client.send("DELETE", `/api/titles/${id}`).catch(() => undefined);
    },
  };
  return client;
}

async function takingIn(client: KaichouClient, report: Report, film: SampleFilm): Promise<void> {
  await report.check("K-1", "takes a file in and answers at once; Shoki lists it under its name", async () => {
    const id = await client.add(film.path, { name: "Conformance: a film" });
    const { name, source } = await client.title(id);
    demandEqual("name and source", [name, source], ["Conformance: a film", film.path]);
    const title = await client.reaches(id, "encoding").catch(() => client.reaches(id, "ready"));
    demand(title.plan !== null && title.duration !== null, "a title in encoding has no plan");
  });
  const refused: [string, unknown][] = [
    ["what is not JSON", "{"],
    ["no source", {}],
    ["a relative path", { source: "film.mp4" }],
    ["a kind of address that nobody reads", { source: "gopher://example.org/film" }],
    ["a priority of 99", { source: film.path, priority: 99 }],
    ["a ladder without rungs", { source: film.path, settings: { rungs: [] } }],
    ["an empty name", { source: film.path, name: "" }],
  ];
  for (const [what, body] of refused)
    await report.check(
      "K-1",
      `refuses ${what}`,
      async () => void demandProblem(await client.post("/api/titles", body), "usage.invalid"),
    );
  await report.check("K-6", "answers 404 for a title that does not exist, 400 for what cannot be an id", async () => {
    for (const action of ["cancel", "retry"])
      demandProblem(await client.post(`/api/titles/no-such-title/${action}`), "title.not-found");
    demandProblem(await client.send("DELETE", "/api/titles/no-such-title"), "title.not-found");
    demandProblem(await client.send("DELETE", "/api/titles/NOT_AN_ID"), "usage.invalid");
  });
}

async function badSources(client: KaichouClient, report: Report, film: SampleFilm, base: string): Promise<void> {
  const folder = dirname(film.path);
  await writeFile(join(folder, "words.mp4"), "This is not a film. ".repeat(1000));
  await writeFile(join(folder, "empty.mp4"), "");
  const bad: [string, string, readonly ErrorCode[]][] = [
    ["a file that is not there", join(folder, "nowhere.mp4"), ["source.not-found"]],
    ["a file that is no media", join(folder, "words.mp4"), ["source.not-media"]],
    ["an empty file", join(folder, "empty.mp4"), ["source.empty"]],
    ["an address without a film", `${base}${sourcePath("missing")}`, ["source.not-found", "source.unreachable"]],
  ];
  for (const [what, source, codes] of bad)
    await report.check("K-2", `fails the title of ${what}, and says why`, async () => {
      const id = await client.add(source);
      const { error } = await client.reaches(id, "failed");
      demand(
        codes.some((code) => code === error?.code),
        `its error is ${error?.code}, not ${codes.join(" or ")}`,
      );
      demand((error?.message ?? "") !== "", "its error has no message");
    });
  await report.check("K-4", "retries a failed title, which fails again, and only such a one", async () => {
    const id = await client.add(join(folder, "nowhere.mp4"));
    await client.reaches(id, "failed");
    demandProblem(await client.post(`/api/titles/${id}/cancel`), "title.wrong-state");
    demandStatus(await client.post(`/api/titles/${id}/retry`), 204);
    await client.reaches(id, "failed");
  });
}

async function stopping(client: KaichouClient, report: Report, source: PlayedSource, base: string): Promise<void> {
  const held = `${base}${sourcePath("held")}`;
  const reading = (): Promise<true> => eventually("the source was not read", () => source.reads.some(isHeldOpen));
  const silent = (): Promise<true> =>
    eventually("the source is still being read", () => !source.reads.some(isHeldOpen), 2500);
  await report.check("K-3", "stops reading within 2 s when a title is cancelled", async () => {
    const id = await client.add(held);
    await reading();
    demandProblem(await client.post(`/api/titles/${id}/retry`), "title.wrong-state");
    demandStatus(await client.post(`/api/titles/${id}/cancel`), 204);
    await silent();
    demandEqual("the state", (await client.title(id)).state, "cancelled");
    demandProblem(await client.post(`/api/titles/${id}/cancel`), "title.wrong-state");
  });
  await report.check("K-11", "puts a title down when it is paused, and takes it up again", async () => {
    const id = await client.add(held);
    await reading();
    demandProblem(await client.post(`/api/titles/${id}/resume`), "title.wrong-state");
    demandStatus(await client.post(`/api/titles/${id}/pause`), 204);
    await silent();
    demandEqual("the state", (await client.title(id)).state, "paused");
    demandStatus(await client.post(`/api/titles/${id}/resume`), 204);
    await reading();
    demandStatus(await client.post(`/api/titles/${id}/cancel`), 204);
  });
  await report.check("K-5", "removes a title that is under way: it is not listed any more", async () => {
    const id = await client.add(held);
    await reading();
    demandStatus(await client.send("DELETE", `/api/titles/${id}`), 204);
    await silent();
    demandProblem(await client.send("DELETE", `/api/titles/${id}`), "title.not-found");
  });
}

async function sourceBytes(
  client: KaichouClient,
  report: Report,
  film: SampleFilm,
  { secret }: Subject,
): Promise<void> {
  if (secret === undefined)
    return report.skip("K-7", "gives the bytes of a local source", "give --secret: the kit signs a token for them");
  const tokens = createTokens(secret);
  const id = await client.add(film.path);
  const path = async (title: string, seconds = 60): Promise<string> =>
    `/sources/${id}?token=${await tokens.sign("source", { title }, seconds)}`;
  await report.check("K-7", "gives the bytes of a local source, whole and by range", async () => {
    const whole = await client.send("GET", await path(id));
    demandStatus(whole, 200);
    const part = await client.send("GET", await path(id), { range: "bytes=100-199" });
    demandStatus(part, 206);
    demandEqual("Content-Range", part.headers["content-range"], `bytes 100-199/${whole.body.length}`);
    demand(part.body.equals(whole.body.subarray(100, 200)), "the bytes are not those of the range");
    const head = await client.send("HEAD", await path(id));
    demandEqual("Content-Length of HEAD", head.headers["content-length"], `${whole.body.length}`);
    const beyond = await client.send("GET", await path(id), { range: `bytes=${whole.body.length}-` });
    demandStatus(beyond, 416);
    demandEqual("Content-Range", beyond.headers["content-range"], `bytes */${whole.body.length}`);
  });
  await report.check("K-7", "gives no byte without a valid token for this title", async () => {
    demandProblem(await client.send("GET", `/sources/${id}`), "ingest.unauthorized");
    demandProblem(await client.send("GET", await path(id, -10)), "ingest.unauthorized");
    const grant = await tokens.sign("grant", { title: id }, 60);
    demandProblem(await client.send("GET", `/sources/${id}?token=${grant}`), "ingest.unauthorized");
    const { status } = await client.send("GET", await path("another-title"));
    demand([401, 403, 404].includes(status), `a token for another title was answered ${status}`);
  });
}
