import { addAbortListener } from "node:events";
import type { FileHandle } from "node:fs/promises";
import type { ObjectBody } from "./port.ts";

async function nextUnlessAborted(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  if (signal === undefined) return iterator.next();
  signal.throwIfAborted();
  // One promise per chunk: a promise that is raced again and again would keep every chunk it was raced against.
  const aborted = Promise.withResolvers<never>();
  using _listener = addAbortListener(signal, () => aborted.reject(signal.reason));
  return await Promise.race([iterator.next(), aborted.promise]);
}

/**
 * Writes all of `body`, reading the next part only when the last is written. An abort ends it even while the body
 * gives nothing. `onWriteError` turns a failed write into the error to throw; the body's own errors stay as they are.
 */
export async function writeBody(
  handle: FileHandle,
  body: ObjectBody,
  signal: AbortSignal | undefined,
  onWriteError: (error: unknown) => Error,
): Promise<void> {
  const write = (bytes: Uint8Array): Promise<void> =>
    handle.appendFile(bytes).catch((error: unknown) => {
      throw onWriteError(error);
    });
  if (body instanceof Uint8Array) {
    await write(body);
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await nextUnlessAborted(iterator, signal);
      if (next.done === true) break;
      await write(next.value);
    }
    ended = true;
  } finally {
    // Not awaited: a generator that waits for something that never comes would keep us waiting too.
    if (!ended) iterator.return?.().catch(() => {});
  }
}
