import type { Rational, SourceAddress } from "@gakuen/contracts";
import { classifyTiming, type FrameTimes } from "./frame-timing.ts";
import { scanPackets } from "./packet-scan.ts";
import type { Tools } from "./tools.ts";

/** Seconds read at the beginning and at the end. */
const WINDOW_SECONDS = 15;

export interface SampleQuestion {
  readonly address: SourceAddress;
  readonly stream: number;
  /** Seconds from the container's own zero: where it begins, and how long it is. */
  readonly containerStart: number;
  readonly containerDuration: number;
  /** What the container says of the rate. */
  readonly declared: readonly (Rational | null)[];
  readonly tick: Rational;
  readonly tools: Tools;
  readonly signal: AbortSignal;
}

/**
 * The frame times of a long remote source without an index that we read (Matroska), from its beginning and its end
 * alone: downloading all of it only to count frames would take longer than encoding it. Where both ends lie on one grid
 * the grid is believed in between, and the encoder keeps it there by repeating or dropping; else null: read it all.
 */
export async function sampleTimes(question: SampleQuestion): Promise<FrameTimes | null> {
  const { address, stream, containerStart, containerDuration, declared, tick, tools, signal } = question;
  if (containerDuration < 4 * WINDOW_SECONDS) return null;
  const tailStart = containerStart + containerDuration - WINDOW_SECONDS;
  const scan = (intervals: string) => scanPackets(address, stream, { tools, signal, intervals });
  const [head, tail] = await Promise.all([scan(`%+${WINDOW_SECONDS}`), scan(`${tailStart.toFixed(3)}%`)]);
  const timing = classifyTiming({ ...head, tick }, declared);
  const first = head.times[0];
  const last = tail.times.at(-1);
  if (timing.timing === "variable" || first === undefined || last === undefined) return null;

  const ticksPerFrame = (timing.frameRate.den * tick.den) / (timing.frameRate.num * tick.num);
  // A clock of whole ticks is up to half a tick off at both ends.
  const onGrid = tail.times.every((time) => {
    const frames = (time - first) / ticksPerFrame;
    return Math.abs(frames - Math.round(frames)) * ticksPerFrame <= 1.0001;
  });
  const frames = Math.round((last - first) / ticksPerFrame) + 1;
  if (!onGrid || frames < head.times.length) return null;
  const times = Float64Array.from({ length: frames }, (_, index) => Math.round(first + index * ticksPerFrame));
  return { times, lastDuration: tail.lastDuration, tick };
}
