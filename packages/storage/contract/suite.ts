import { buffer } from "node:stream/consumers";
import type { ObjectInfo, ObjectStore } from "../port.ts";

/** What the tests of one store share. */
export interface Suite {
  readonly store: ObjectStore;
  /** A prefix of the test's own, without a slash at its end. */
  freshPrefix(): string;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export async function read(store: ObjectStore, key: string, range?: { start: number; end: number }): Promise<string> {
  const { body } = await store.get(key, range === undefined ? {} : { range });
  return (await buffer(body)).toString();
}

export async function objectsUnder(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of store.list(prefix)) objects.push(object);
  return objects;
}

export async function keysUnder(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await objectsUnder(store, prefix)).map((object) => object.key);
}

/** A mebibyte at a time of bytes that differ from place to place. */
export async function* mebibytes(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1024 * 1024, `part ${i} `);
}
