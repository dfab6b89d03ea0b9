import { PipelineError } from "@gakuen/contracts";

/**
 * Notices an encoder that does not get on. Time in which we do not read its pipes (the uploader holds us back) is not
 * its fault and does not count.
 */
export class Watchdog {
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #quietSince = performance.now();
  #blocked = 0;

  constructor(limitMs: number, onStuck: (error: PipelineError) => void) {
    this.#limitMs = limitMs;
    this.#timer = setInterval(() => this.#look(onStuck), Math.min(1000, limitMs / 4));
    this.#timer.unref();
  }

  /** The encoder made progress. */
  alive(): void {
    this.#quietSince = performance.now();
  }

  /** Passes parts on; while the consumer has one in hand the encoder is held back by us. */
  async *passing<T>(parts: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const part of parts) {
      this.alive();
      this.#blocked += 1;
      try {
        yield part;
      } finally {
        this.#blocked -= 1;
        this.alive();
      }
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(onStuck: (error: PipelineError) => void): void {
    if (this.#blocked > 0) this.alive();
    const quietMs = performance.now() - this.#quietSince;
    if (quietMs < this.#limitMs) return;
    this.stop();
    onStuck(
      new PipelineError(
        "encode.stuck",
        `ffmpeg made no progress for ${Math.round(quietMs / 1000)} s and was ended; is the source still readable?`,
      ),
    );
  }
}
