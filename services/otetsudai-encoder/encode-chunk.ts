import { hostname } from "node:os";
import type { Readable } from "node:stream";
import {
  type EncodeJob,
  type EncodeProgress,
  type ErrorCode,
  type Ingest,
  PipelineError,
  type TrackId,
} from "@gakuen/contracts";
import { audioArgs, type RunningProcess, startProcess, type Tools, videoArgs } from "@gakuen/ffmpeg";
import type { Log } from "@gakuen/platform";
import type { Front } from "./front.ts";
import { encodedSeconds } from "./ffmpeg-progress.ts";
import { expressShare, type Share, sharesOf } from "./shares.ts";
import { sourceOutage } from "./source-outage.ts";
import { trackBody } from "./track-body.ts";
import { Watchdog } from "./watchdog.ts";

/** The longest time without progress that a slow source or a full machine explains. */
const STUCK_AFTER_MS = 60_000;

export interface EncodeParts {
  readonly ingest: Ingest;
  readonly tools: Tools;
  readonly log: Log;
  readonly front: Front;
  /** How long ffmpeg may make no progress before it is ended; 60 s by default. */
  readonly stuckAfterMs?: number;
}

export interface EncodeContext {
  readonly signal: AbortSignal;
  /** A viewer waits from the start. */
  readonly hurry: boolean;
  /** Tells of tracks that a viewer comes to wait for while the chunk is being encoded. */
  readonly onWanted: (listener: (track: TrackId) => void) => void;
  readonly report: (progress: EncodeProgress) => void;
}

/**
 * Encodes one chunk: claim it, start ffmpeg, and stream every track to the uploader while it is being made. Nothing
 * touches a local disk. Resolves when all of it is durable.
 *
 * Errors: `encode.*`, and those of {@link Ingest}.
 */
export async function encodeChunk(job: EncodeJob, parts: EncodeParts, context: EncodeContext): Promise<void> {
  const claim = await parts.ingest.claim(job.ref, job.grant, context.signal);
  if (claim.state === "complete") return;
  const log = parts.log.child({ ...job.ref, attempt: claim.attempt });
  const startedAt = performance.now();

  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const report = furthest(job, context.report);
  const wanted = wantedTracks(job, context);
  const shares = sharesOf(job, context.hurry, wanted.first);
  await using express = new ExpressTracks((track, until) => {
    const share = expressShare(shares, track);
    if (!share) return undefined;
    log.debug({ track: job.tracks[track]?.id }, "a viewer waits: the track is encoded ahead");
    return encodeShare(job, share, parts, claim.token, AbortSignal.any([signal, until]), report);
  });
  wanted.onLater((track) => express.want(track));
  try {
    await Promise.all(
      shares.map((share) =>
        encodeShare(job, share, parts, claim.token, signal, report).catch((error: unknown) => {
          // Ending all at once keeps the first error the one that is told.
          stop.abort(error);
          throw error;
        }),
      ),
    );
  } catch (error) {
    if (context.signal.aborted) throw cancelled(context.signal);
    throw await explained(stop.signal.reason ?? error, job, context.signal);
  }
  log.info({ seconds: Math.round((performance.now() - startedAt) / 100) / 10 }, "chunk encoded and stored");
}

/** What ffmpeg does when it cannot read: fail, wait, or end too early, sometimes as if all were well. */
const badOutput: ReadonlySet<ErrorCode> = new Set([
  "encode.failed",
  "encode.stuck",
  "encode.incomplete",
  "ingest.mismatch",
]);

/** The source's outage where there is one; else the error itself. */
async function explained(error: unknown, job: EncodeJob, signal: AbortSignal): Promise<unknown> {
  const suspect = error instanceof PipelineError && badOutput.has(error.code);
  return (suspect && (await sourceOutage(job, signal))) || error;
}

/** Tracks, by their index in the job, that viewers wait for when it begins, and those that they come to wait for. */
function wantedTracks(job: EncodeJob, context: EncodeContext) {
  const first = new Set<number>();
  let take = (track: number): void => void first.add(track);
  context.onWanted((id) => {
    const track = job.tracks.findIndex((candidate) => candidate.id === id);
    if (track >= 0) take(track);
  });
  return { first, onLater: (listener: (track: number) => void) => (take = listener) };
}

/** Tracks that are encoded a second time because a viewer waits, until the chunk is done. */
class ExpressTracks implements AsyncDisposable {
  readonly #start: (track: number, until: AbortSignal) => Promise<void> | undefined;
  readonly #running = new Map<number, Promise<void>>();
  readonly #until = new AbortController();

  constructor(start: (track: number, until: AbortSignal) => Promise<void> | undefined) {
    this.#start = start;
  }

  want(track: number): void {
    if (this.#running.has(track) || this.#until.signal.aborted) return;
    const ahead = this.#start(track, this.#until.signal) ?? Promise.resolve();
    // Whatever goes wrong here goes wrong in the chunk's own process too, or does not matter.
    this.#running.set(
      track,
      ahead.catch(() => undefined),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#until.abort();
    await Promise.all(this.#running.values());
  }
}

/** One ffmpeg process and the tracks that it encodes, by their index in the job. Its tracks end, or it fails, as one. */
async function encodeShare(
  job: EncodeJob,
  { tracks, niceness, decoderThreads, watched }: Share,
  parts: EncodeParts,
  token: string,
  signal: AbortSignal,
  report: (seconds: number) => void,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const outputs = tracks.length + 1;
  const progress = ["-progress", `pipe:${3 + tracks.length}`, "-stats_period", "0.5"];
  const args = job.kind === "video" ? videoArgs(job, { only: tracks, decoderThreads }) : audioArgs(job);
  const ffmpeg = startProcess(parts.tools.ffmpeg, [...progress, ...args], { signal: either, outputs, niceness });
  const leave = watched ? parts.front.enter(`${job.ref.title}.${job.ref.chunk}`, ffmpeg) : undefined;
  const watchdog = new Watchdog(parts.stuckAfterMs ?? STUCK_AFTER_MS, (error) => stop.abort(error));
  try {
    const uploads = tracks.map(async (index, position) => {
      const output = ffmpeg.outputs[position];
      const track = job.tracks[index];
      if (!output || !track) throw new PipelineError("internal", `no pipe for track ${index}`);
      const body = encodedBytes(watchdog.passing(trackBody(job, index, output)), output, ffmpeg);
      try {
        return await parts.ingest.put({ ...job.ref, track: track.id }, token, body, either);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
    const progressPipe = ffmpeg.outputs[tracks.length];
    await Promise.all([...uploads, progressPipe && followProgress(progressPipe, watchdog, report)]);
  } catch (error) {
    throw stop.signal.reason ?? error;
  } finally {
    watchdog.stop();
    ffmpeg.kill();
    await ffmpeg.done.finally(leave);
  }
}

/** The bytes of the parts; ends without error only when ffmpeg ended without error. */
async function* encodedBytes(
  parts: AsyncIterable<{ readonly bytes: Uint8Array }>,
  output: Readable,
  ffmpeg: RunningProcess,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of parts) yield part.bytes;
  } catch (error) {
    // A track that ends too early says less of what went wrong than ffmpeg does.
    if (output.readableEnded) await demandSuccess(ffmpeg);
    throw error;
  }
  await demandSuccess(ffmpeg);
}

async function demandSuccess(ffmpeg: RunningProcess): Promise<void> {
  const { exitCode, signal } = await ffmpeg.done;
  if (exitCode === 0) return;
  const told = ffmpeg.stderrTail().trim();
  throw new PipelineError("encode.failed", `ffmpeg ended with ${signal ?? exitCode}: ${told || "it said nothing"}`);
}

async function followProgress(pipe: Readable, watchdog: Watchdog, report: (seconds: number) => void): Promise<void> {
  let last = -1;
  for await (const seconds of encodedSeconds(pipe)) {
    if (seconds <= last) continue;
    last = seconds;
    watchdog.alive();
    report(seconds);
  }
}

/** Tells how far the chunk is; of several processes the one that is ahead counts. */
function furthest(job: EncodeJob, report: (progress: EncodeProgress) => void): (seconds: number) => void {
  const [track] = job.tracks;
  const ticks = track?.timeline.reduce((sum, run) => sum + run.ticks * run.count, 0) ?? 0;
  const total = ticks / (track?.timescale ?? 1);
  const encoder = `${hostname()}:${process.pid}`;
  let last = -1;
  return (seconds) => {
    if (seconds <= last) return;
    last = seconds;
    report({ seconds: Math.min(seconds, total), total, encoder });
  };
}

function cancelled(signal: AbortSignal): unknown {
  return signal.reason instanceof PipelineError
    ? signal.reason
    : new PipelineError("encode.cancelled", "the work on this chunk was called off", { cause: signal.reason });
}
