import { type BodyPart, bodyParts } from "./body-parts.ts";
import type { ObjectBody } from "./port.ts";
import type { StoreGate } from "./store-gate.ts";

/** Parts of one object that are sent at a time; while a part fills only one is. */
const IN_FLIGHT = 2;

/** A body on its way: its first part, which may be all of it, and those that follow. */
export interface IncomingBody {
  readonly first: BodyPart;
  readonly others: AsyncIterable<BodyPart>;
  /** Ends the waiting for more of the body, with the error it is aborted with. */
  readonly failure: AbortController;
}

/** Gives `body` to `upload` as parts, when it is the turn of a body of unknown length; ends the body in any case. */
export async function receiveBody<T>(
  gate: StoreGate,
  body: ObjectBody,
  signal: AbortSignal | undefined,
  upload: (incoming: IncomingBody) => Promise<T>,
): Promise<T> {
  const receive = async (): Promise<T> => {
    const failure = new AbortController();
    const parts = bodyParts(body, AbortSignal.any([failure.signal, ...(signal ? [signal] : [])]));
    try {
      const first = await parts.next();
      if (first.done === true) throw new Error("a body is at least one part, if an empty one");
      return await upload({ first: first.value, others: parts, failure });
    } finally {
      await parts.return();
    }
  };
  return body instanceof Uint8Array ? await receive() : await gate.stream(signal, receive);
}

/**
 * Sends all parts of a body by `send`, few at a time, and gives their number of bytes. One that fails ends the others;
 * when this returns or throws none is on its way any more. Errors: the body's own, and those of `send`.
 */
export async function sendParts(
  { first, others, failure }: IncomingBody,
  send: (part: BodyPart, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const sending = new Set<Promise<void>>();
  let bytes = 0;
  const begin = async (part: BodyPart): Promise<void> => {
    bytes += part.bytes.byteLength;
    const sent = send(part, failure.signal)
      .catch((error: unknown) => failure.abort(error))
      .finally(() => sending.delete(sent));
    sending.add(sent);
    if (sending.size >= IN_FLIGHT) await Promise.race(sending);
  };
  try {
    await begin(first);
    for await (const part of others) await begin(part);
  } catch (error) {
    failure.abort(error);
  }
  await Promise.all(sending);
  failure.signal.throwIfAborted();
  return bytes;
}
