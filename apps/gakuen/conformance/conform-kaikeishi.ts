import { IngestResult, TrackId } from "@gakuen/contracts";
import { createTokens } from "@gakuen/platform";
import { chunkReceipts } from "@gakuen/records";
import { conformClaims } from "./conform-claims.ts";
import { demandStored, ingestClient } from "./ingest-client.ts";
import { demandReceipts, type IngestKit, newRef, partsOf, receipts, stored } from "./ingest-kit.ts";
import { openPlacedTitles, refOf } from "./placed-title.ts";
import { demand, demandEqual, eventually, type Report } from "./report.ts";
import { makeSampleFilm } from "./sample-film.ts";
import { demandProblem, readJson, sendRequest } from "./send-request.ts";
import { disagreeing, spoiledTracks } from "./spoiled-tracks.ts";
import { demandSetting, type Subject } from "./subject.ts";

/**
 * Sends a Kaikeishi what an encoder would, and what none should. The plan gets to it as every plan does: through its
 * database, where the kit puts titles of its own.
 */
export async function conformKaikeishi(subject: Subject, report: Report): Promise<void> {
  const tokens = createTokens(demandSetting(subject.secret, "--secret", "the kit signs the grants of its chunks"));
  await using titles = await openPlacedTitles(subject);
  await using film = await makeSampleFilm(await subject.tools());
  const client = ingestClient(subject.url, tokens);
  const longest = film.plan.chunks
    .filter((chunk) => chunk.kind === "video" && chunk.tracks.length > 1 && chunk.segments > 1)
    .toSorted((a, b) => b.segments - a.segments)[0];
  if (!longest) throw new Error("the kit's own plan has no chunk of several segments");
  const [track = ""] = longest.tracks;
  const whole = (await film.tracks(longest.id)).get(track) ?? [];
  const kit: IngestKit = { tokens, report, film, titles, client, chunk: longest.id, track, whole };

  await report.check("G-6", "says that it is up", async () => {
    demandEqual("GET /healthz", (await sendRequest(new URL("/healthz", subject.url))).status, 200);
  });
  await conformClaims(kit);
  await goodTracks(kit);
  await refusals(kit);
  await fencing(kit);
}

async function goodTracks(kit: IngestKit): Promise<void> {
  const { report, client, film } = kit;
  for (const [id, type] of [
    [kit.chunk, "video/mp4"],
    ["a1-1", "audio/mp4"],
  ] as const)
    await report.check(
      "I-14",
      `takes the tracks of ${id}, all at once, and then calls the chunk complete`,
      async () => {
        const ref = refOf(film, await kit.titles.place(film), id);
        const { token } = await client.open(ref);
        const tracks = [...(await film.tracks(id))];
        const answers = await Promise.all(
          tracks.map(([track, parts]) => client.put(ref, track, token, parts, { type })),
        );
        for (const [index, answer] of answers.entries()) {
          readJson(answer, IngestResult, "the answer");
          demandStored(answer, { stored: (tracks[index]?.[1].length ?? 0) - 1, matched: 0 });
        }
        demandEqual("the claim after it", await client.claim(ref), { state: "complete" });
        for (const [track, parts] of tracks) await demandReceipts(kit, ref, track, parts);
      },
    );
  await report.check("I-12", "makes each segment durable while the next one is still to come", async () => {
    const ref = await newRef(kit);
    const { token } = await client.open(ref);
    const body = (async function* () {
      yield* partsOf(kit.whole.slice(0, 2));
      await eventually(
        "no receipt of the first segment came while the second was held back",
        async () => (await stored(kit, ref)).length === 1,
        10_000,
      );
      yield* partsOf(kit.whole.slice(2));
    })();
    demandStored(await client.put(ref, kit.track, token, body), { stored: kit.whole.length - 1, matched: 0 });
  });
  await report.check("I-13", "counts what comes again with the same bytes, and stores it once", async () => {
    const ref = await newRef(kit);
    await client.put(ref, kit.track, (await client.open(ref)).token, kit.whole);
    const before = await receipts(kit, ref);
    const again = await client.put(ref, kit.track, (await client.open(ref)).token, kit.whole);
    demandStored(again, { stored: 0, matched: kit.whole.length - 1 });
    demandEqual("the receipts", await receipts(kit, ref), before);
  });
  await report.check("I-13", "forgets a chunk on which two encoders disagree, and takes it anew", async () => {
    const ref = await newRef(kit);
    await client.put(ref, kit.track, (await client.open(ref)).token, kit.whole);
    const last = kit.whole.at(-1);
    const other = [...kit.whole.slice(0, -1), ...(last ? [disagreeing(last)] : [])];
    demandProblem(await client.put(ref, kit.track, (await client.open(ref)).token, other), "ingest.mismatch");
    demandEqual("the receipts of its segments", await stored(kit, ref), []);
    const anew = await client.put(ref, kit.track, (await client.open(ref)).token, other);
    demandStored(anew, { stored: other.length - 1, matched: 0 });
    await demandReceipts(kit, ref, kit.track, other);
  });
}

async function refusals(kit: IngestKit): Promise<void> {
  const { report, client, film } = kit;
  const sound = (await film.tracks("a1-0")).get("a1") ?? [];
  const [first = 1] = film.plan.chunks.filter(({ id }) => id === kit.chunk).map(({ firstSegment }) => firstSegment);
  for (const { clause, what, body, code, kept } of spoiledTracks(kit.whole, sound))
    await report.check(clause, `refuses a track ${what}`, async () => {
      const ref = await newRef(kit);
      demandProblem(await client.put(ref, kit.track, (await client.open(ref)).token, body), code);
      const numbers = Array.from({ length: kept }, (_, index) => first + index);
      demandEqual("the segments that stay", await stored(kit, ref), numbers);
      if (!kit.titles.storeIsKnown) return;
      const keys = (await chunkReceipts(kit.titles.records, ref)).map(({ key }) => key).toSorted();
      demandEqual("the objects in the store", await kit.titles.keys(ref.title), keys);
    });
  await report.check("I-8", "names what was planned and what came", async () => {
    const ref = await newRef(kit);
    const problem = demandProblem(
      await client.put(ref, kit.track, (await client.open(ref)).token, sound),
      "ingest.mismatch",
    );
    demand(/video/.test(problem.detail) && /audio/.test(problem.detail), `detail says neither: ${problem.detail}`);
  });
  await report.check("I-9", "refuses a track whose last segment lacks a frame", async () => {
    const ref = await newRef(kit);
    demandProblem(
      await client.put(
        ref,
        kit.track,
        (await client.open(ref)).token,
        (await film.shorterTracks(kit.chunk)).get(kit.track) ?? [],
      ),
      "ingest.mismatch",
    );
  });
  await report.check("I-6", "refuses a media type that is none of a CMAF track", async () => {
    const ref = await newRef(kit);
    const answer = await client.put(ref, kit.track, (await client.open(ref)).token, kit.whole, { type: "video/webm" });
    demandEqual("the status", answer.status, 415);
  });
  await report.check("I-6", "refuses a track that the chunk does not make", async () => {
    const ref = await newRef(kit);
    demandProblem(await client.put(ref, TrackId.parse("a1"), (await client.open(ref)).token, sound), "ingest.mismatch");
  });
}

async function fencing(kit: IngestKit): Promise<void> {
  const { report, client } = kit;
  await report.check("I-6", "refuses a wrong token before it reads the body", async () => {
    const ref = await newRef(kit);
    const never = (async function* () {
      yield Buffer.alloc(1);
      await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    })();
    demandProblem(await client.put(ref, kit.track, await client.grant(ref), never), "ingest.unauthorized");
  });
  await report.check("I-12", "refuses a lower attempt at its next segment, in the middle of the body", async () => {
    const ref = await newRef(kit);
    const early = await client.open(ref);
    const body = (async function* () {
      yield* partsOf(kit.whole.slice(0, 2));
      await eventually("the first segment was not stored", async () => (await stored(kit, ref)).length === 1);
      await client.open(ref);
      yield* partsOf(kit.whole.slice(2, 3));
      // The rest is never sent: the answer must come without it (I-16).
      await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    })();
    demandProblem(await client.put(ref, kit.track, early.token, body), "ingest.claim-lost");
    demandEqual("the segments that stay", (await stored(kit, ref)).length, 1);
    const late = await client.put(ref, kit.track, (await client.open(ref)).token, kit.whole);
    demandStored(late, { stored: kit.whole.length - 2, matched: 1 });
  });
  await report.check(
    "I-4",
    "keeps the later claim's segments when an earlier one comes late with other bytes",
    async () => {
      const ref = await newRef(kit);
      const early = await client.open(ref);
      const late = await client.open(ref);
      demandStored(await client.put(ref, kit.track, late.token, kit.whole), {
        stored: kit.whole.length - 1,
        matched: 0,
      });
      const [init, ...segments] = kit.whole;
      const other = [...(init ? [init] : []), ...segments.map(disagreeing)];
      demandProblem(await client.put(ref, kit.track, early.token, other), "ingest.claim-lost");
      await demandReceipts(kit, ref, kit.track, kit.whole);
    },
  );
  await report.check("I-17", "keeps nothing of a segment whose sender went away in the middle of it", async () => {
    const ref = await newRef(kit);
    const { token } = await client.open(ref);
    const cut = Buffer.concat(kit.whole.slice(0, 3).map((part) => part.bytes)).subarray(0, -100);
    const body = (async function* () {
      yield cut;
      await eventually("the first segment was not stored", async () => (await stored(kit, ref)).length === 1);
      throw new Error("the kit goes away");
    })();
    const gone = await client.put(ref, kit.track, token, body).then(
      ({ status }) => `${status}`,
      () => "no answer",
    );
    demand(gone !== "201", "a track that broke off was acknowledged");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const left = await receipts(kit, ref);
    demandEqual("what stays", left.length, 2);
    if (kit.titles.storeIsKnown)
      demandEqual("the objects", await kit.titles.keys(ref.title), left.map(({ key }) => key).toSorted());
  });
}
