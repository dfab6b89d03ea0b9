import type { Readable } from "node:stream";
import { checkKey } from "./key.ts";
import { notFound } from "./not-found.ts";
import type { ByteRange, GetOptions, ObjectInfo, ObjectStore } from "./port.ts";
import { clampRange } from "./range.ts";
import { storeBody } from "./store-body.ts";

/** What a store on the network says to a read. */
interface ReadAnswer {
  readonly body: Readable;
  /** Of the answer's header fields: the range only where one was asked for, the length of what is sent. */
  readonly contentRange: string | undefined;
  readonly contentLength: number | undefined;
  /** The object, once it is known how many bytes the whole of it has. */
  describe(bytes: number): ObjectInfo;
}

/**
 * `get` of a store on the network. `ask` sends the request, for the whole object or for a range whose end may be
 * Infinity, and tells the answer; undefined when there is no such object, "no such range" for status 416.
 * Errors: those of {@link ObjectStore.get}.
 */
export async function readObject(
  store: Pick<ObjectStore, "stat">,
  key: string,
  { range, signal }: GetOptions,
  ask: (wanted: ByteRange | undefined) => Promise<ReadAnswer | "no such range" | undefined>,
): Promise<{ info: ObjectInfo; body: Readable }> {
  checkKey(key);
  signal?.throwIfAborted();
  const answer = await ask(range && clampRange(range, key, Infinity));
  if (answer === "no such range") {
    const { bytes } = (await store.stat(key)) ?? { bytes: 0 };
    clampRange(range ?? { start: 0, end: 1 }, key, bytes);
  }
  if (answer === undefined || answer === "no such range") throw notFound(key);
  const bytes = Number(answer.contentRange?.split("/")[1] ?? answer.contentLength ?? 0);
  const body = storeBody(answer.body, { key, signal });
  try {
    if (range !== undefined) clampRange(range, key, bytes);
  } catch (error) {
    body.destroy();
    throw error;
  }
  return { info: answer.describe(bytes), body };
}
