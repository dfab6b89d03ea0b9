import type { SourceAddress } from "@gakuen/contracts";
import { runProcess } from "./process.ts";
import { sourceInputOptions, sourceUrl } from "./source-input.ts";
import type { Tools } from "./tools.ts";

/** Frames looked at in each window; decoding them is what it costs. */
const WINDOW_FRAMES = 8;

export interface InterlaceQuestion {
  readonly stream: number;
  /** Seconds from the container's start time at which windows begin; a demuxer goes to the keyframe before. */
  readonly windows: readonly number[];
  readonly tools: Tools;
  readonly signal: AbortSignal;
}

export interface InterlaceAnswer {
  readonly interlacing: "progressive" | "interlaced";
  /** Frames that could be decoded and judged. */
  readonly judged: number;
}

/**
 * Decides by looking at pictures, because headers lie: film in interlaced streams, interlaced video flagged progressive.
 * Windows that cannot be decoded count for nothing.
 */
export async function measureInterlacing(
  address: SourceAddress,
  question: InterlaceQuestion,
): Promise<InterlaceAnswer> {
  const windows = await Promise.all(question.windows.map((seconds) => lookAt(address, question, seconds)));
  question.signal.throwIfAborted();
  const interlaced = windows.reduce((sum, window) => sum + window.interlaced, 0);
  const progressive = windows.reduce((sum, window) => sum + window.progressive, 0);
  return { interlacing: interlaced > progressive ? "interlaced" : "progressive", judged: interlaced + progressive };
}

async function lookAt(
  address: SourceAddress,
  { stream, tools, signal }: InterlaceQuestion,
  seconds: number,
): Promise<{ interlaced: number; progressive: number }> {
  const args = [
    // Without the deblocking filter decoding is cheaper, and lines still show whether they are of one time.
    ["-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1", "-skip_loop_filter", "all"],
    sourceInputOptions(address),
    seconds > 0 ? ["-noaccurate_seek", "-ss", seconds.toFixed(3)] : [],
    ["-i", sourceUrl(address), "-map", `0:${stream}`, "-an", "-sn", "-dn", "-frames:v", `${WINDOW_FRAMES}`],
    ["-vf", "idet,metadata=mode=print:file=-", "-fps_mode", "passthrough", "-f", "null", "/dev/null"],
  ].flat();
  try {
    const { stdout } = await runProcess(tools.ffmpeg, args, { signal, timeoutMs: 30_000 });
    const count = (name: string): number => lastNumber(stdout, `lavfi.idet.multiple.${name}=`);
    return { interlaced: count("tff") + count("bff"), progressive: count("progressive") };
  } catch (error) {
    if (signal.aborted) throw error;
    return { interlaced: 0, progressive: 0 };
  }
}

/** idet writes running totals beside every frame; the last ones count. */
function lastNumber(output: string, key: string): number {
  const at = output.lastIndexOf(key);
  return at < 0 ? 0 : Number.parseFloat(output.slice(at + key.length));
}
