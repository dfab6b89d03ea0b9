import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AudioChunk,
  type AudioTrack,
  type Chunk,
  type ChunkId,
  type EncodeJob,
  type Inspection,
  type Plan,
  type PlanId,
  PlanSettings,
  planIdOf,
  type SourceAddress,
  segmentSpans,
  TitleId,
} from "@gakuen/contracts";
import { inspectSource, runProcess, type Tools } from "@gakuen/ffmpeg";
import type { CmafPart } from "@gakuen/media";
import { encodeJob, planTitle } from "@gakuen/pipeline";
import { referenceTracks } from "./reference-encoder.ts";

/** A short film that the kit makes itself, and its plan. */
export interface SampleFilm extends AsyncDisposable {
  readonly path: string;
  readonly inspection: Inspection;
  readonly plan: Plan;
  readonly planId: PlanId;
  /** The job that makes a chunk; its source is the film as a file unless another address is given. */
  job(title: TitleId, chunk: string, grant: string, source?: SourceAddress): EncodeJob;
  /** What an encoder must send of a chunk, by track. Made once. */
  tracks(chunk: string): Promise<ReadonlyMap<string, readonly CmafPart[]>>;
  /** What an encoder would send that lost the last frame of a video chunk. */
  shorterTracks(chunk: string): Promise<ReadonlyMap<string, readonly CmafPart[]>>;
}

const SECONDS = 6;

/**
 * Six noisy seconds in segments of one second, two rungs and sound: chunks from the start, from key frames and to the
 * end, and sound in two chunks, the second with preroll. Noise, so that no buffer on the way holds a whole track.
 */
export async function makeSampleFilm(tools: Tools): Promise<SampleFilm> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "gakuen-conformance-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "film.mp4");
  await runProcess(
    tools.ffmpeg,
    [
      ["-hide_banner", "-nostdin", "-loglevel", "error"],
      ["-f", "lavfi", "-i", `testsrc2=s=256x144:r=25:d=${SECONDS},noise=alls=40:allf=t`],
      ["-f", "lavfi", "-i", `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`],
      ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", "-ac", "2"],
      ["-movflags", "+faststart", path],
    ].flat(),
    { signal: AbortSignal.timeout(60_000) },
  );
  const source: SourceAddress = { kind: "file", path };
  const inspection = await inspectSource(source, { tools, signal: AbortSignal.timeout(60_000) });
  const settings = PlanSettings.parse({ preset: "ultrafast", rungs: [144, 120], segmentSeconds: 1 });
  const { plan } = planTitle(inspection, settings);
  plan.chunks = plan.chunks.flatMap((chunk): Chunk[] => (chunk.kind === "audio" ? halves(plan, chunk) : [chunk]));
  const planId = planIdOf(plan);

  const job: SampleFilm["job"] = (title, id, grant, address = source) => {
    const chunk = plan.chunks.find((candidate) => candidate.id === id);
    if (!chunk) throw new Error(`the film has no chunk ${id}`);
    return encodeJob({ title, plan: planId, chunk: chunk.id }, plan, chunk, address, grant);
  };
  const made = new Map<string, Promise<ReadonlyMap<string, readonly CmafPart[]>>>();
  const opened = stack.move();
  return {
    path,
    inspection,
    plan,
    planId,
    job,
    tracks: (chunk) => {
      const tracks = made.get(chunk) ?? referenceTracks(job(newTitle(), chunk, ""), tools.ffmpeg);
      made.set(chunk, tracks);
      return tracks;
    },
    async shorterTracks(chunk) {
      const whole = job(newTitle(), chunk, "");
      if (whole.kind !== "video") throw new Error(`${chunk} has no frames`);
      const shorter = { ...whole, chunk: { ...whole.chunk, endFrame: whole.chunk.endFrame - 1 } };
      return await referenceTracks(shorter, tools.ffmpeg);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

let titles = 0;
export const newTitle = (): TitleId =>
  TitleId.parse(`conformance-${process.pid}-${Date.now().toString(36)}-${++titles}`);

/** So short a film has its sound in one chunk; two show whether preroll and count of samples are right. */
function halves(plan: Plan, chunk: AudioChunk): AudioChunk[] {
  const track = plan.tracks.find((candidate): candidate is AudioTrack => candidate.id === chunk.tracks[0]);
  const spans = track ? [...segmentSpans(track)] : [];
  const half = Math.floor(spans.length / 2);
  const middle = spans[half];
  if (!track || !middle) return [chunk];
  const startPacket = middle.start / track.sampleTicks;
  const preroll = 8;
  const from = (startPacket - preroll) * track.sampleTicks;
  const seconds = Math.max(0, plan.originMicroseconds / 1e6 + from / track.timescale - 2);
  return [
    { ...chunk, segments: half, endPacket: startPacket },
    {
      ...chunk,
      id: `${track.id}-1` as ChunkId,
      firstSegment: half + 1,
      segments: spans.length - half,
      seek: { mode: "before", seconds },
      startPacket,
      preroll,
    },
  ];
}

/** Parts as they go over the wire, in pieces that have nothing to do with boxes. */
export async function* inPieces(parts: readonly CmafPart[] | Buffer, pieceBytes = 5000): AsyncGenerator<Buffer> {
  const bytes = Buffer.isBuffer(parts) ? parts : Buffer.concat(parts.map((part) => part.bytes));
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
