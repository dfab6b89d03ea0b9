import type { SourceAddress } from "@gakuen/contracts";
import type { Mp4Index } from "@gakuen/media";
import type { ProbedStream } from "./probe.ts";
import type { Tools } from "./tools.ts";

/** One stream that shall be measured, and what is known of its source by then. */
export interface StreamQuestion {
  readonly address: SourceAddress;
  readonly stream: ProbedStream;
  /** The container's tables, where it has some that can be read. */
  readonly index: Mp4Index | null;
  /** The container's start time and length in seconds; null where the header does not say. */
  readonly containerStart: number;
  readonly containerDuration: number | null;
  readonly seekable: boolean;
  readonly tools: Tools;
  readonly signal: AbortSignal;
}
