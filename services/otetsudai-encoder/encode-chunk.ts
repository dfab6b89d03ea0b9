import { hostname } from "node:os";
import { type EncodeJob, type EncodeProgress, type Ingest, PipelineError } from "@gakuen/contracts";
import { audioArgs, type RunningProcess, startProcess, type Tools, videoArgs } from "@gakuen/ffmpeg";
import type { Log } from "@gakuen/platform";
import { encodedSeconds } from "./ffmpeg-progress.ts";
import { trackBody } from "./track-body.ts";
import { Watchdog } from "./watchdog.ts";

/**
 * Encoders run below everything else, so that heartbeats, uploads and viewers are served on a full machine; what a
 * viewer waits for gets about nine times the time of the others (sched(7): 1.25 per step of niceness).
 */
const NICENESS = { background: 15, hurried: 5 };
const STUCK_AFTER_MS = 60_000;

export interface EncodeParts {
  readonly ingest: Ingest;
  readonly tools: Tools;
  readonly log: Log;
}

export interface EncodeContext {
  readonly signal: AbortSignal;
  /** A viewer waits. */
  readonly hurry: boolean;
  readonly report: (progress: EncodeProgress) => void;
}

/**
 * Encodes one chunk: claim it, start one ffmpeg for all its tracks, and stream every track to the uploader while it is
 * being made. Nothing touches a local disk. Resolves when all of it is durable.
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
  const niceness = context.hurry ? NICENESS.hurried : NICENESS.background;
  const ffmpeg = startEncoder(job, parts.tools, niceness, signal);
  const watchdog = new Watchdog(STUCK_AFTER_MS, (error) => stop.abort(error));
  try {
    const reporting = reportProgress(job, ffmpeg, watchdog, context.report);
    const uploads = job.tracks.map(async (track, index) => {
      const output = ffmpeg.outputs[index];
      if (!output) throw new PipelineError("internal", `no pipe for ${track.id}`);
      const body = encodedBytes(watchdog.passing(trackBody(job, index, output)), ffmpeg);
      try {
        return await parts.ingest.put({ ...job.ref, track: track.id }, claim.token, body, signal);
      } catch (error) {
        // One closed pipe would end ffmpeg anyway; ending all at once keeps the first error the one that is told.
        stop.abort(error);
        throw error;
      }
    });
    await Promise.all(uploads);
    await reporting;
  } catch (error) {
    throw context.signal.aborted ? cancelled(context.signal) : (stop.signal.reason ?? error);
  } finally {
    watchdog.stop();
    ffmpeg.kill();
    await ffmpeg.done;
  }
  log.info({ seconds: Math.round((performance.now() - startedAt) / 100) / 10 }, "chunk encoded and stored");
}

function startEncoder(job: EncodeJob, tools: Tools, niceness: number, signal: AbortSignal): RunningProcess {
  const outputs = job.tracks.length;
  const progress = ["-progress", `pipe:${3 + outputs}`, "-stats_period", "0.5"];
  const args = job.kind === "video" ? videoArgs(job) : audioArgs(job);
  return startProcess(tools.ffmpeg, [...progress, ...args], { signal, outputs: outputs + 1, niceness });
}

/** The bytes of the parts; ends without error only when ffmpeg ended without error. */
async function* encodedBytes(
  parts: AsyncIterable<{ readonly bytes: Uint8Array }>,
  ffmpeg: RunningProcess,
): AsyncGenerator<Uint8Array> {
  for await (const part of parts) yield part.bytes;
  const { exitCode, signal } = await ffmpeg.done;
  if (exitCode === 0) return;
  const told = ffmpeg.stderrTail().trim();
  throw new PipelineError("encode.failed", `ffmpeg ended with ${signal ?? exitCode}: ${told || "it said nothing"}`);
}

async function reportProgress(
  job: EncodeJob,
  ffmpeg: RunningProcess,
  watchdog: Watchdog,
  report: (progress: EncodeProgress) => void,
): Promise<void> {
  const pipe = ffmpeg.outputs[job.tracks.length];
  const [track] = job.tracks;
  if (!pipe || !track) return;
  const ticks = track.timeline.reduce((sum, run) => sum + run.ticks * run.count, 0);
  const total = ticks / track.timescale;
  const encoder = `${hostname()}:${process.pid}`;
  let last = -1;
  for await (const seconds of encodedSeconds(pipe)) {
    if (seconds <= last) continue;
    last = seconds;
    watchdog.alive();
    report({ seconds: Math.min(seconds, total), total, encoder });
  }
}

function cancelled(signal: AbortSignal): unknown {
  return signal.reason instanceof PipelineError
    ? signal.reason
    : new PipelineError("encode.cancelled", "the work on this chunk was called off", { cause: signal.reason });
}
