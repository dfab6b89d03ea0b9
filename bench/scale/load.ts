import { type Chunk, type EncodeJob, type Plan, PlanSettings, planIdOf, TitleId } from "@gakuen/contracts";
import { backgroundPriority, encodeJob, planTitle } from "@gakuen/pipeline";
import { inspected } from "../../packages/pipeline/sample-inspection.ts";

/** CPU-seconds for one second of a 1080p film, all rungs from one decode, as measured (docs/decisions/0005); and of its sound. */
const RECORDED = { video: 2.5, audio: 0.03 };
/** Encodes are waited for this much shorter than recorded: a slot here ends as many chunks as twelve real ones. */
export const TIME_SCALE = 1 / 12;

export interface Load {
  readonly title: TitleId;
  readonly plan: Plan;
  readonly encodes: readonly { readonly job: EncodeJob; readonly priority: number }[];
}

/** A title of this length as Kaichou queues it: its plan, and a job for each chunk. */
export function titleOf(name: string, seconds: number, { sound = true } = {}): Load {
  const title = TitleId.parse(name);
  const inspection = inspected({ frames: 24 * seconds }, sound ? [{}] : []);
  const { plan } = planTitle(inspection, PlanSettings.parse({}));
  const planId = planIdOf(plan);
  const source = { kind: "file", path: "/films/film.mp4" } as const;
  const encodes = plan.chunks.map((chunk: Chunk) => ({
    job: encodeJob({ title, plan: planId, chunk: chunk.id }, plan, chunk, source, "x".repeat(400)),
    priority: backgroundPriority(plan, chunk, 8),
  }));
  return { title, plan, encodes: encodes.toSorted((a, b) => a.priority - b.priority) };
}

/** How long the encode of this chunk is waited for, in milliseconds; a quarter more or less, always the same for one chunk. */
export function encodeMs(job: EncodeJob, scale: number): number {
  const [track] = job.tracks;
  const ticks = track?.timeline.reduce((sum, run) => sum + run.ticks * run.count, 0) ?? 0;
  const seconds = ticks / (track?.timescale ?? 1);
  const name = `${job.ref.title}.${job.ref.chunk}`;
  const hash = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1009, 7);
  return seconds * RECORDED[job.kind] * (0.75 + hash / 2018) * scale * 1000;
}
