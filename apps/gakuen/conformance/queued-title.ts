import type { EncodeJob, EncodeProgress, TitleId } from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import type { Tokens } from "@gakuen/platform";
import { demandSameBytes } from "./planned-tracks.ts";
import type { PlayedKaikeishi, Stage } from "./played-kaikeishi.ts";
import type { SourceManner } from "./played-source.ts";
import { demand, eventually, type Report } from "./report.ts";
import { newTitle, type SampleFilm } from "./sample-film.ts";

/** What the kit for encoders works with. */
export interface EncoderKit {
  readonly report: Report;
  readonly film: SampleFilm;
  readonly engine: Engine;
  readonly kaikeishi: PlayedKaikeishi;
  readonly tokens: Tokens;
  readonly progress: { readonly title: TitleId; readonly progress: EncodeProgress }[];
}

const BACKGROUND = 1_500_000;

/** Chunks of a title that were queued for the encoder under test, and what it sent of them. */
export interface QueuedTitle {
  readonly title: TitleId;
  readonly jobs: readonly EncodeJob[];
  readonly stage: Stage;
}

interface Wish {
  readonly chunks?: readonly string[];
  readonly priority?: number;
  readonly source?: SourceManner;
  readonly stage?: Partial<Omit<Stage, "claims" | "tracks">>;
}

/** Queues chunks of a new title, has `look` look at what comes, and takes away what is left of it. */
export async function withQueuedTitle(
  kit: EncoderKit,
  wish: Wish,
  look: (queued: QueuedTitle) => Promise<void>,
): Promise<void> {
  const { engine, film, kaikeishi, tokens } = kit;
  const title = newTitle();
  const stage = Object.assign(kaikeishi.stage(title), wish.stage);
  const chunks = wish.chunks ?? film.plan.chunks.map(({ id }) => id);
  const jobs = await Promise.all(
    chunks.map(async (chunk) => {
      const { ref } = film.job(title, chunk, "");
      return film.job(
        title,
        chunk,
        await tokens.sign("grant", { ...ref }, 600),
        kaikeishi.source(wish.source ?? "whole"),
      );
    }),
  );
  const priority = wish.priority ?? BACKGROUND;
  await engine.addGraph(
    { title, plan: film.planId },
    jobs.map((job) => ({ job, priority })),
  );
  try {
    await look({ title, jobs, stage });
  } finally {
    await engine.cancelTitle(title);
    await engine.clearFailures(title);
  }
}

/** All chunks ended well: nothing is left but the publish job, which begins to wait. */
export async function ended({ engine }: EncoderKit, { title, stage }: QueuedTitle): Promise<void> {
  await eventually(
    `the chunks did not come to an end; ${stage.claims.length} claims and ${stage.tracks.length} tracks came`,
    async () => {
      const failure = (await engine.failures()).find((candidate) => candidate.title === title);
      demand(failure === undefined, `${failure?.jobId} failed: ${failure?.code}: ${failure?.message}`);
      const { encode, publish } = await engine.counts();
      return encode.waiting + encode.active === 0 && publish.waiting > 0;
    },
    80_000,
  );
}

/** Of the last time that a track was sent. */
export function bodyOf(stage: Stage, { ref }: EncodeJob, trackId: string): Buffer {
  const sent = stage.tracks.findLast(({ chunk, track }) => chunk === ref.chunk && track === trackId);
  demand(sent?.whole === true, `${ref.chunk}/${trackId} was not sent to its end`);
  return Buffer.concat(sent.pieces);
}

export async function demandOurBytes(film: SampleFilm, stage: Stage, job: EncodeJob): Promise<void> {
  for (const [track, parts] of await film.tracks(job.ref.chunk))
    await demandSameBytes(bodyOf(stage, job, track), parts);
}
