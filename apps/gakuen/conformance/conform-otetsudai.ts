import { randomBytes } from "node:crypto";
import { type EncodeProgress, isViewerPriority, type TitleId } from "@gakuen/contracts";
import { openEngine } from "@gakuen/engine";
import { createLog, createTokens } from "@gakuen/platform";
import { demandPlannedTrack } from "./planned-tracks.ts";
import { type HeardTrack, playKaikeishi } from "./played-kaikeishi.ts";
import { isHeldOpen } from "./played-source.ts";
import { bodyOf, demandOurBytes, ended, type EncoderKit, type QueuedTitle, withQueuedTitle } from "./queued-title.ts";
import { demand, demandEqual, eventually, type Report } from "./report.ts";
import { makeSampleFilm } from "./sample-film.ts";
import { demandSetting, type Subject } from "./subject.ts";

const VIEWER = 1000;
/** More than `opts.attempts` of a job: who counts outages as attempts has none left. */
const OUTAGES = 4;
const HOLD_MS = 5500;

/** Plays the queue and Kaikeishi for an encoder: hands it chunks, and looks at every byte that it sends. */
export async function conformOtetsudai(subject: Subject, report: Report): Promise<void> {
  const url = demandSetting(subject.config.queueUrl, "--queue-url", "the kit puts jobs into the encoder's queue");
  await using film = await makeSampleFilm(await subject.tools());
  await using engine = await openEngine({ url, log: createLog({ level: "silent", format: "json" }) });
  await using kaikeishi = await playKaikeishi(subject.url, film.path);
  const progress: { title: TitleId; progress: EncodeProgress }[] = [];
  engine.onProgress(({ title }, told) => progress.push({ title, progress: told }));
  const tokens = createTokens(randomBytes(24).toString("hex"));
  const kit: EncoderKit = { report, film, engine, kaikeishi, tokens, progress };
  await wholeTitle(kit);
  await inAHurry(kit);
  await answers(kit);
  await slowReader(kit);
  await failures(kit);
  await cancel(kit);
  if (subject.pid === undefined)
    report.skip("Q-16", "hands its chunk back when it is told to stop", "give --pid, the encoder's process");
  else await handBack(kit, subject.pid);
}

async function wholeTitle(kit: EncoderKit): Promise<void> {
  const { report, film, kaikeishi } = kit;
  await withQueuedTitle(kit, {}, async (all) => {
    const { jobs, stage } = all;
    await report.check("Q-10", "takes every chunk of a title and ends each job well", () => ended(kit, all));
    await report.check("I-1", "claims each chunk with its job's grant", () => {
      const expected = jobs.map(({ ref, grant }) => `${ref.chunk} Bearer ${grant}`).toSorted();
      demandEqual(
        "the claims",
        stage.claims.map((claim) => `${claim.chunk} ${claim.authorization}`).toSorted(),
        expected,
      );
    });
    await report.check("I-6", "sends each track once, by chunked transfer coding, with its media type", () => {
      const expected = jobs.flatMap(({ ref, tracks }) => tracks.map(({ id }) => `${ref.chunk}/${id}`)).toSorted();
      demandEqual("the tracks", stage.tracks.map(({ chunk, track }) => `${chunk}/${track}`).toSorted(), expected);
      for (const { chunk, track, headers } of stage.tracks) {
        demandEqual(`Transfer-Encoding of ${chunk}/${track}`, headers["transfer-encoding"], "chunked");
        demand(
          /^(video|audio)\/mp4$/.test(headers["content-type"] ?? ""),
          `${chunk}/${track} is ${headers["content-type"]}`,
        );
      }
    });
    await report.check("I-6", "sends the tracks of a chunk at the same time", () => {
      for (const track of stage.tracks)
        for (const other of stage.tracks)
          if (other.chunk === track.chunk)
            demand(
              other.begunAt <= (track.endedAt ?? Infinity),
              `${other.chunk}/${other.track} began after ${track.track} ended`,
            );
    });
    await report.check("E-3", "reads its source by range", () => {
      demand(
        kaikeishi.reads.some(({ range }) => range !== undefined),
        "no request for the source had a Range",
      );
    });
    for (const job of jobs) {
      await report.check(
        "I-9",
        `sends of ${job.ref.chunk} what the plan says: codec, clock, frames and times`,
        async () => {
          for (const { id } of job.tracks) await demandPlannedTrack(job, id, bodyOf(stage, job, id));
        },
      );
      await report.check("E-2", `sends of ${job.ref.chunk} the bytes that every encoder makes`, () =>
        demandOurBytes(film, stage, job),
      );
    }
  });
}

/** A chunk of several segments and rungs. */
function longChunk({ film }: EncoderKit): string {
  const chunks = film.plan.chunks.filter(({ kind, tracks }) => kind === "video" && tracks.length > 1);
  return chunks.toSorted((a, b) => b.segments - a.segments)[0]?.id ?? "";
}

async function inAHurry(kit: EncoderKit): Promise<void> {
  await kit.report.check("E-5", "sends the same bytes where a viewer waits", () =>
    withQueuedTitle(kit, { chunks: [longChunk(kit)], priority: VIEWER }, async (all) => {
      demand(isViewerPriority(VIEWER), "the kit's own priority");
      await ended(kit, all);
      for (const job of all.jobs) await demandOurBytes(kit.film, all.stage, job);
    }),
  );
}

async function answers(kit: EncoderKit): Promise<void> {
  const { report } = kit;
  const chunks = [longChunk(kit)];
  await report.check("I-2", "encodes nothing of a chunk that is complete", () =>
    withQueuedTitle(kit, { chunks, stage: { answerClaim: () => "complete" } }, async (all) => {
      await ended(kit, all);
      demandEqual("the tracks that were sent", all.stage.tracks.length, 0);
    }),
  );
  await report.check("Q-9", `sits out ${OUTAGES} outages without using up its attempts`, () =>
    withQueuedTitle(
      kit,
      { chunks, stage: { answerClaim: (nth) => (nth < OUTAGES ? "database.unavailable" : "open") } },
      async (all) => {
        await ended(kit, all);
        demandEqual("the claims", all.stage.claims.length, OUTAGES + 1);
      },
    ),
  );
  await report.check("I-16", "reads a refusal in the middle of its body, stops, and begins anew", () =>
    withQueuedTitle(
      kit,
      { chunks, stage: { refuseTrack: (nth) => (nth === 0 ? "ingest.claim-lost" : undefined) } },
      async (all) => {
        await ended(kit, all);
        demandEqual("the claims", all.stage.claims.length, 2);
        for (const job of all.jobs) await demandOurBytes(kit.film, all.stage, job);
      },
    ),
  );
}

async function slowReader(kit: EncoderKit): Promise<void> {
  const { report } = kit;
  await withQueuedTitle(kit, { chunks: [longChunk(kit)], stage: { holdMs: HOLD_MS } }, async (all) => {
    await report.check("I-15", `waits for a Kaikeishi that does not read for ${HOLD_MS / 1000} s`, async () => {
      await ended(kit, all);
      for (const job of all.jobs) await demandOurBytes(kit.film, all.stage, job);
    });
    await report.check("Q-7", "keeps its lock meanwhile: the chunk is handed out once", () => {
      demandEqual("the claims", all.stage.claims.length, 1);
    });
    await report.check("Q-8", "tells its progress", () => {
      const told = kit.progress.filter(({ title }) => title === all.title).map(({ progress }) => progress);
      demand(told.length > 0, "no progress was told, or none as encode-progress.schema.json says");
      for (const { seconds, total, encoder } of told)
        demand(seconds >= 0 && seconds <= total && encoder !== "", `progress ${seconds} of ${total} s by "${encoder}"`);
    });
  });
}

async function failures(kit: EncoderKit): Promise<void> {
  const { report, engine } = kit;
  const failed = (all: QueuedTitle) =>
    eventually("the job did not fail", async () =>
      (await engine.failures()).find(({ kind, title }) => kind === "encode" && title === all.title),
    );
  await report.check("Q-12", "fails at once and for good where trying again is no use, and says why", () =>
    withQueuedTitle(
      kit,
      { chunks: [longChunk(kit)], stage: { answerClaim: () => "ingest.title-gone" } },
      async (all) => {
        demandEqual("the code in the job's reason", (await failed(all)).code, "ingest.title-gone");
        demandEqual("the claims", all.stage.claims.length, 1);
      },
    ),
  );
  await report.check("E-10", "ends no track well when its source cannot be read, tries four times, and says why", () =>
    withQueuedTitle(kit, { chunks: [longChunk(kit)], source: "missing" }, async (all) => {
      const { code } = await failed(all);
      demand(code.startsWith("encode."), `the job failed as ${code}`);
      demandEqual("the claims", all.stage.claims.length, 4);
      demandEqual("the tracks that were sent to their end", all.stage.tracks.filter(isWhole).length, 0);
    }),
  );
}

const isWhole = ({ whole }: HeardTrack): boolean => whole;

/** An encoder that cannot get on, since its source sends no more. */
async function stuck(kit: EncoderKit): Promise<void> {
  await eventually("the source was not read", () => kit.kaikeishi.reads.some(isHeldOpen), 20_000);
  // ffmpeg opens the source more than once while it looks for its index.
  await new Promise((resolve) => setTimeout(resolve, 500));
}

async function cancel(kit: EncoderKit): Promise<void> {
  await kit.report.check("Q-13", "stops within 2 s when the title is cancelled, and the job is gone", () =>
    withQueuedTitle(kit, { chunks: [longChunk(kit)], source: "held" }, async ({ title }) => {
      await stuck(kit);
      const begun = Date.now();
      const cancelled = kit.engine.cancelTitle(title);
      await eventually("the source is still being read", () => !kit.kaikeishi.reads.some(isHeldOpen), 5000);
      const took = Date.now() - begun;
      await cancelled;
      demand(took < 2000, `it stopped reading after ${took / 1000} s`);
      const { encode } = await kit.engine.counts();
      demandEqual("the jobs that are left", encode.waiting + encode.active, 0);
      demandEqual("the failures that are told", (await kit.engine.failures()).length, 0);
    }),
  );
}

async function handBack(kit: EncoderKit, pid: number): Promise<void> {
  await kit.report.check("Q-16", "hands its chunk back when it is told to stop, and ends", () =>
    withQueuedTitle(kit, { chunks: [longChunk(kit)], source: "held" }, async () => {
      await stuck(kit);
      process.kill(pid, "SIGTERM");
      await eventually("its process is still there", () => !isAlive(pid), 40_000);
      const { encode } = await kit.engine.counts();
      demandEqual("jobs that wait and run", [encode.waiting, encode.active], [1, 0]);
      demand(!kit.kaikeishi.reads.some(isHeldOpen), "something of it still reads the source");
    }),
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
