import type { RunningProcess } from "@gakuen/ffmpeg";
import { BACKGROUND_NICENESS } from "./shares.ts";

/**
 * What viewers wait for, in one Otetsudai: whoever asked last goes first, as in the queue. A player that seeks leaves
 * chunks behind that were as urgent a moment ago.
 */
export class Front {
  readonly #processes = new Map<RunningProcess, string>();

  /** @returns to be called when the process has ended */
  enter(chunk: string, process: RunningProcess): () => void {
    for (const [other, ofChunk] of this.#processes) {
      if (ofChunk === chunk) continue;
      other.yield(BACKGROUND_NICENESS);
      this.#processes.delete(other);
    }
    this.#processes.set(process, chunk);
    return () => this.#processes.delete(process);
  }
}
