import { addAbortListener } from "node:events";
import type { ObjectBody } from "./port.ts";

/**
 * What `work` gives, or the signal's reason as soon as it is aborted. The work itself goes on unless it heeds the
 * signal too.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  if (signal.aborted) {
    // Nobody hears of it any more.
    work.catch(() => {});
    throw signal.reason;
  }
  // One promise per wait: a promise that is raced again and again would keep every value it was raced against.
  const aborted = Promise.withResolvers<never>();
  using _listener = addAbortListener(signal, () => aborted.reject(signal.reason));
  return await Promise.race([work, aborted.promise]);
}

/**
 * The pieces of `body`, each asked for only when the one before is done with. An abort ends it with the signal's
 * reason even while the body gives nothing; the body's own errors stay as they are.
 */
export async function* readUnlessAborted(
  body: ObjectBody,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body instanceof Uint8Array) {
    signal?.throwIfAborted();
    yield body;
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal);
      if (next.done === true) break;
      yield next.value;
    }
    ended = true;
  } finally {
    // Not awaited: a generator that waits for something that never comes would keep us waiting too.
    if (!ended) iterator.return?.().catch(() => {});
  }
}
