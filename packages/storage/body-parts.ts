import type { ObjectBody } from "./port.ts";
import { readUnlessAborted } from "./read-unless-aborted.ts";

const MEBIBYTE = 1024 * 1024;

/** A body in memory goes as one piece up to here; more would be sent again as a whole after every broken connection. */
const ONE_PIECE_BYTES = 64 * MEBIBYTE;
/** The least that S3 takes, but for the last part. */
const FIRST_PART_BYTES = 5 * MEBIBYTE;
/** S3 takes 10,000 parts of one object; with sizes that double this often they hold 302 GiB. */
const PARTS_OF_ONE_SIZE = 2000;

export interface BodyPart {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** What the part of this number, from 1, holds unless it is the last. */
export function partBytes(number: number): number {
  return FIRST_PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_OF_ONE_SIZE);
}

/**
 * Cuts a body into the parts of a multipart upload: each of the same size as the one before, twice as large after every
 * 2,000, only the last one shorter; an empty body is one empty part. Holds no more than one part, and of that only what
 * has come. Small bodies in memory are not cut at all.
 */
export async function* bodyParts(
  body: ObjectBody,
  signal: AbortSignal | undefined,
): AsyncGenerator<BodyPart, void, undefined> {
  if (body instanceof Uint8Array && body.byteLength <= ONE_PIECE_BYTES) {
    signal?.throwIfAborted();
    yield { number: 1, bytes: body, last: true };
    return;
  }
  let number = 1;
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (let piece of readUnlessAborted(body, signal)) {
    // A part goes out only when there is more to come: so it is known whether it is the last.
    while (held + piece.byteLength > partBytes(number)) {
      const room = partBytes(number) - held;
      pieces.push(piece.subarray(0, room));
      yield { number, bytes: Buffer.concat(pieces), last: false };
      number += 1;
      pieces = [];
      held = 0;
      piece = piece.subarray(room);
    }
    pieces.push(piece);
    held += piece.byteLength;
  }
  yield { number, bytes: Buffer.concat(pieces), last: true };
}
