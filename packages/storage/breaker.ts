import { PipelineError } from "@gakuen/contracts";

/** So many failures in a row open the circuit. */
const FAILURES = 5;
/** How often a dead store is tried. */
const TRIAL_MS = 1000;

/**
 * Answers at once for a store that is dead: after five failures in a row calls fail without being made, but for one a
 * second that tries whether the store is back. Nobody waits for that trial but the one who makes it.
 */
export class Breaker {
  #failures = 0;
  #trialAt = 0;
  #onTrial = false;
  #lastFailure: PipelineError | undefined;

  /**
   * Does `work`, whose `store.unavailable` counts as a failure; while the circuit is open rejects with
   * `store.unavailable` instead.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const trial = this.#failures >= FAILURES;
    if (trial && (this.#onTrial || Date.now() < this.#trialAt)) {
      const why = `The store is away and is tried again every second: ${this.#lastFailure?.message}`;
      throw new PipelineError("store.unavailable", why, { cause: this.#lastFailure });
    }
    if (trial) this.#onTrial = true;
    try {
      const result = await work();
      this.#failures = 0;
      return result;
    } catch (error) {
      if (error instanceof PipelineError && error.code === "store.unavailable") {
        this.#failures += 1;
        this.#lastFailure = error;
        this.#trialAt = Date.now() + TRIAL_MS;
      }
      throw error;
    } finally {
      if (trial) this.#onTrial = false;
    }
  }
}
