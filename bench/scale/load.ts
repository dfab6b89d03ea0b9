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
  const { plan } = planTitle(inspected({ frames: 24 * seconds }, sound ? [{}] : []), PlanSettings.parse({}));
  return loadOf(name, plan, "/films/film.mp4");
}

/** A title with this plan, as Kaichou queues it. */
export function loadOf(name: string, plan: Plan, path: string): Load {
  const title = TitleId.parse(name);
  const planId = planIdOf(plan);
  const source = { kind: "file", path } as const;
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
  const hash = Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) % 1009, 7);
  return seconds * RECORDED[job.kind] * (0.75 + hash / 2018) * scale * 1000;
}
