import type { FileHandle } from "node:fs/promises";
import type { ObjectBody } from "./port.ts";
import { readUnlessAborted } from "./read-unless-aborted.ts";

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
  for await (const bytes of readUnlessAborted(body, signal)) {
    await handle.appendFile(bytes).catch((error: unknown) => {
      throw onWriteError(error);
    });
  }
}
