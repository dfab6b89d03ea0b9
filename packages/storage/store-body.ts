import { addAbortSignal, Readable } from "node:stream";
import { PipelineError } from "@gakuen/contracts";

/** A store that has sent nothing for this long, while somebody waits for it, is taken for dead. */
const STALL_MS = 10_000;

export interface StoreBodyOptions {
  /** For messages. */
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
  readonly stallMs?: number;
}

/**
 * The body of an answer: its errors in the port's terms (`store.unavailable`), ended by the signal, and by a store that
 * falls silent. A reader may pause as long as it likes: silence counts only while it waits.
 */
export function storeBody(source: Readable, { key, signal, stallMs = STALL_MS }: StoreBodyOptions): Readable {
  let stalled: NodeJS.Timeout | undefined;
  const fail = (why: string, cause?: unknown): void => {
    body.destroy(new PipelineError("store.unavailable", `Could not read ${key} to its end: ${why}`, { cause }));
  };
  const body = new Readable({
    read() {
      stalled ??= setTimeout(() => fail(`nothing came for ${stallMs / 1000} s`), stallMs);
      source.resume();
    },
    destroy(error, done) {
      clearTimeout(stalled);
      source.destroy();
      done(error);
    },
  });
  source.pause();
  source.on("data", (bytes: Uint8Array) => {
    clearTimeout(stalled);
    stalled = undefined;
    if (!body.push(bytes)) source.pause();
  });
  source.once("end", () => {
    clearTimeout(stalled);
    body.push(null);
  });
  source.once("error", (error) => fail(error.message, error));
  source.once("close", () => {
    if (!source.readableEnded) fail("the connection ended");
  });
  return signal === undefined ? body : addAbortSignal(signal, body);
}
