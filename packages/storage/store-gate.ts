import { Breaker } from "./breaker.ts";
import { Slots } from "./slots.ts";

/** Requests that send or wait for an answer at the same time. */
const REQUESTS = 32;
/** Bodies of unknown length at the same time. Each holds up to three parts: one that fills, two that are sent. */
const STREAMS = 16;

/**
 * What stands between a process and its remote store, so that neither a store that is away nor many uploads at once
 * hurt the process: a limit on requests, a limit on streamed bodies, and a circuit breaker.
 */
export class StoreGate {
  readonly #requests = new Slots(REQUESTS);
  readonly #streams = new Slots(STREAMS);
  readonly #breaker = new Breaker();
  readonly #explain: (error: unknown, doing: string) => unknown;

  /** `explain` puts the vendor's errors into the port's terms; `doing` is for instance "store titles/a". */
  constructor(explain: (error: unknown, doing: string) => unknown) {
    this.#explain = explain;
  }

  /** Makes one request, retries included. Errors: as explained; the signal's reason once it is aborted. */
  async request<T>(doing: string, signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> {
    return await this.#breaker.run(
      async () =>
        await this.#requests.use(async () => {
          signal?.throwIfAborted();
          try {
            return await send();
          } catch (error) {
            signal?.throwIfAborted();
            throw this.#explain(error, doing);
          }
        }, signal),
    );
  }

  /** Takes a body of unknown length when it is its turn. */
  async stream<T>(signal: AbortSignal | undefined, upload: () => Promise<T>): Promise<T> {
    return await this.#streams.use(upload, signal);
  }
}
