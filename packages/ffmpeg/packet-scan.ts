import { createInterface } from "node:readline";
import { PipelineError, type SourceAddress } from "@gakuen/contracts";
import { startProcess } from "./process.ts";
import { sourceInputOptions, sourceUrl } from "./source-input.ts";
import type { Tools } from "./tools.ts";

/** When the frames of a stream are presented, in ticks of its time base. */
export interface PacketTimes {
  /** Sorted. */
  readonly times: Float64Array;
  /** Sorted. */
  readonly keyframes: Float64Array;
  /** Duration of the last presented packet; 0 where the container does not say. */
  readonly lastDuration: number;
}

export interface ScanOptions {
  readonly tools: Tools;
  readonly signal: AbortSignal;
  /** Parts of the source to read, in ffprobe's words (`-read_intervals`); without it all is read. */
  readonly intervals?: string;
}

/**
 * Reads the packets of one stream, for containers without an index that can be read. Keeps only one number per frame.
 * Errors: `tool.failed` when ffprobe dies, the signal's reason when aborted.
 */
export async function scanPackets(address: SourceAddress, stream: number, options: ScanOptions): Promise<PacketTimes> {
  const child = startProcess(
    options.tools.ffprobe,
    [
      ["-hide_banner", "-loglevel", "error", ...sourceInputOptions(address)],
      ["-select_streams", `${stream}`, "-show_entries", "packet=pts,dts,duration,flags", "-of", "csv=p=0"],
      options.intervals === undefined ? [] : ["-read_intervals", options.intervals],
      ["-o", "pipe:3", "-i", sourceUrl(address)],
    ].flat(),
    { signal: options.signal, outputs: 1 },
  );
  const times = new GrowingNumbers();
  const keyframes = new GrowingNumbers();
  const last = { time: Number.NEGATIVE_INFINITY, duration: 0 };
  const [output] = child.outputs;
  if (output === undefined) throw new RangeError("one output was asked for");
  for await (const line of createInterface({ input: output })) {
    const [pts = "", dts = "", duration = "", flags = ""] = line.split(",");
    // Formats without presentation times (AVI) have decode times; packets without any time add nothing.
    const time = Number.parseInt(pts, 10);
    const shown = Number.isNaN(time) ? Number.parseInt(dts, 10) : time;
    // D: decoded but not presented, as an edit list says.
    if (Number.isNaN(shown) || flags.includes("D")) continue;
    times.push(shown);
    if (flags.startsWith("K")) keyframes.push(shown);
    if (shown > last.time) Object.assign(last, { time: shown, duration: Number.parseInt(duration, 10) || 0 });
  }
  const ended = await child.done;
  options.signal.throwIfAborted();
  if (ended.exitCode !== 0 && times.length === 0)
    throw new PipelineError("tool.failed", `${options.tools.ffprobe} failed: ${child.stderrTail().trim()}`);
  return { times: times.sorted(), keyframes: keyframes.sorted(), lastDuration: last.duration };
}

/** A Float64Array that doubles as it fills: 8 bytes per frame, where an array of boxed numbers takes several times that. */
class GrowingNumbers {
  #numbers = new Float64Array(4096);
  length = 0;

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length++] = value;
  }

  sorted(): Float64Array {
    return this.#numbers.slice(0, this.length).sort();
  }
}
