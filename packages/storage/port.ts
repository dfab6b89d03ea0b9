import type { Readable } from "node:stream";

/** What a store knows of an object. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** Names the object's content as far as the store can tell, without quotes: the same until it is put again. */
  readonly etag: string;
  /** By the store's clock; right after a put it may be by ours. */
  readonly modified: Date;
}

/** Bytes [start, end) of an object. An end behind the object's last byte is taken as its end (RFC 9110 §14.1.2). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface PutOptions {
  /** Media type for stores that keep one. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  readonly range?: ByteRange;
  /** Ends the call and the reading of its body. */
  readonly signal?: AbortSignal;
}

export interface PresignOptions {
  /** For how long the URL works: a whole number from 1 to 604,800 (a week), the most that S3 allows. */
  readonly expiresSeconds: number;
  /** The media type to answer with instead of the stored one. */
  readonly contentType?: string;
}

/** What became of a put that replaces nothing. */
export interface PutOnce {
  /** Whether it was the first; otherwise the object was there, or another put won. */
  readonly stored: boolean;
  /** The object that is there now. */
  readonly object: ObjectInfo;
}

/**
 * Where media lies: a flat space of keys, each with one immutable run of bytes that appears whole or not at all.
 *
 * Errors of every call: `usage.invalid` (a key or prefix that breaks the rules of {@link checkKey} and
 * {@link checkPrefix}), `store.unavailable` (the store cannot be reached or refuses). A call whose signal is aborted
 * rejects with the signal's reason; a body that fails rejects the put with the body's own error.
 */
export interface ObjectStore {
  /**
   * Stores an object, replacing what was there. When it resolves the object is durable; until then readers see the
   * old object or none; when it rejects nothing of the new one is left. The body is read no faster than it is stored.
   * Errors: `store.full`.
   */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo>;
  /**
   * As `put`, but an object that is there stays. Of many that put one key at once exactly one has `stored: true`, and
   * `object` is the winner's for all of them. The body is read to its end in any case. Where a store has no conditional
   * put of its own (docs/storage.md), that holds within one process; nothing may depend on more.
   */
  putIfAbsent(key: string, body: ObjectBody, options?: PutOptions): Promise<PutOnce>;
  /**
   * The object and its bytes, or those of the range; `info` always describes the whole object. The body must be read
   * to its end or destroyed. Errors: `store.not-found`; `usage.invalid` for a range that holds no byte of the object.
   */
  get(key: string, options?: GetOptions): Promise<{ info: ObjectInfo; body: Readable }>;
  stat(key: string): Promise<ObjectInfo | undefined>;
  /**
   * A URL by which anyone can read the object, by ranges too, until it expires; whether the object is there is not
   * asked. Undefined where the store has no such thing, as the file system. Errors: `usage.invalid` for a time that
   * is out of bounds.
   */
  presignGet(key: string, options: PresignOptions): Promise<string | undefined>;
  /**
   * All objects whose keys begin with `prefix` (a plain string: `a/b` finds `a/b/1` and `a/bc`), in the order of
   * their keys' UTF-8 bytes (Azure: of their UTF-16 units, which differs only for characters beyond U+FFFF). Objects
   * that come or go meanwhile may be missed.
   */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Removes an object; one that is not there is fine. */
  delete(key: string): Promise<void>;
  /** Removes all objects that `list(prefix)` finds and tells how many; refuses the empty prefix as `usage.invalid`. */
  deletePrefix(prefix: string): Promise<number>;
}
