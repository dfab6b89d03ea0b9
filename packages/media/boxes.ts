import { PipelineError } from "@gakuen/contracts";

/** A box of ISO/IEC 14496-12 §4.2 as it lies in a slice of bytes. */
export interface Box {
  /** Four characters, one per byte (Latin-1: QuickTime has types such as `©nam`). */
  readonly type: string;
  /** Of the header's first byte, within the slice that was read. */
  readonly offset: number;
  /** Of header and body. */
  readonly size: number;
  /** What follows the header; shares memory with the slice. */
  readonly body: Buffer;
}

/** A box's header: type, its own length in bytes, and the size of the whole box (0: to the end of the file). */
export interface BoxHeader {
  readonly type: string;
  readonly headerSize: number;
  readonly size: number;
}

/** The longest header without a user type: size, type and largesize. */
export const MAX_BOX_HEADER = 16;

/**
 * The box header at `offset`, or undefined where the slice ends before the header does (ISO/IEC 14496-12 §4.2.2).
 * Errors: `ingest.malformed` when the size is smaller than the header or not exact as a number.
 */
export function readBoxHeader(bytes: Buffer, offset: number): BoxHeader | undefined {
  const available = bytes.length - offset;
  if (available < 8) return undefined;
  const type = bytes.toString("latin1", offset + 4, offset + 8);
  const size32 = bytes.readUInt32BE(offset);
  if (size32 === 0) return { type, headerSize: 8, size: 0 };
  if (size32 === 1) {
    if (available < 16) return undefined;
    const size = Number(bytes.readBigUInt64BE(offset + 8));
    if (size < 16 || !Number.isSafeInteger(size)) throw malformed(`box ${printable(type)} claims ${size} bytes`);
    return { type, headerSize: 16, size };
  }
  if (size32 < 8) throw malformed(`box ${printable(type)} claims ${size32} bytes, its header alone has 8`);
  return { type, headerSize: 8, size: size32 };
}

/**
 * The boxes of a slice in order, without those inside them. A box of size 0 reaches to the end of the slice.
 * Errors: `ingest.malformed` when a box does not fit or bytes are left over.
 */
export function* readBoxes(bytes: Uint8Array): Generator<Box> {
  const slice = asBuffer(bytes);
  let offset = 0;
  while (offset < slice.length) {
    const header = readBoxHeader(slice, offset);
    if (header === undefined) throw malformed(`${slice.length - offset} bytes left, too few for a box header`);
    const size = header.size === 0 ? slice.length - offset : header.size;
    if (size > slice.length - offset) {
      throw malformed(
        `box ${printable(header.type)} at ${offset} claims ${size} bytes of ${slice.length - offset} left`,
      );
    }
    yield { type: header.type, offset, size, body: slice.subarray(offset + header.headerSize, offset + size) };
    offset += size;
  }
}

/**
 * The first box at `path`, for instance `findBox(moov.body, "trak", "mdia", "mdhd")`; every step but the last must be
 * a box that holds nothing but boxes. Offsets are relative to the box's own parent. Errors: `ingest.malformed`.
 */
export function findBox(bytes: Uint8Array, ...path: readonly string[]): Box | undefined {
  let found: Box | undefined;
  let within = bytes;
  for (const type of path) {
    found = undefined;
    for (const box of readBoxes(within)) {
      if (box.type !== type) continue;
      found = box;
      break;
    }
    if (found === undefined) return undefined;
    within = found.body;
  }
  return found;
}

/** {@link findBox}, for boxes that must be there. Errors: `ingest.malformed`. */
export function requireBox(bytes: Uint8Array, ...path: readonly string[]): Box {
  const found = findBox(bytes, ...path);
  if (found === undefined) throw malformed(`box ${path.join("/")} is missing`);
  return found;
}

/** Version and flags of a full box (ISO/IEC 14496-12 §4.2.2); its fields begin at byte 4 of the body. */
export function fullBox(box: Box, minimumBody = 4): { readonly version: number; readonly flags: number } {
  if (box.body.length < Math.max(4, minimumBody)) {
    throw malformed(`box ${printable(box.type)} has ${box.body.length} bytes, needs ${Math.max(4, minimumBody)}`);
  }
  return { version: box.body.readUInt8(0), flags: box.body.readUIntBE(1, 3) };
}

/** An unsigned 64-bit field as an exact number. Errors: `ingest.malformed` above 2^53 - 1. */
export function readUint64(bytes: Buffer, offset: number): number {
  const value = Number(bytes.readBigUInt64BE(offset));
  if (!Number.isSafeInteger(value)) throw malformed(`a 64-bit field holds ${value}, which no real file needs`);
  return value;
}

/** A box of the given type around `body` (ISO/IEC 14496-12 §4.2.2), with a 64-bit size only where it needs one. */
export function writeBox(type: string, ...body: readonly Uint8Array[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([writeBoxHeader(type, length), ...body]);
}

/** The header of a box whose body has `bodyLength` bytes. */
export function writeBoxHeader(type: string, bodyLength: number): Buffer {
  const large = bodyLength + 8 > 0xffff_ffff;
  const header = Buffer.alloc(large ? 16 : 8);
  header.writeUInt32BE(large ? 1 : bodyLength + 8, 0);
  header.write(type, 4, 4, "latin1");
  if (large) header.writeBigUInt64BE(BigInt(bodyLength) + 16n, 8);
  return header;
}

/** A full box: version, flags, then 32-bit fields. */
export function writeFullBox(type: string, version: number, flags: number, ...fields: readonly number[]): Buffer {
  const body = Buffer.alloc(4 + 4 * fields.length);
  body.writeUInt8(version, 0);
  body.writeUIntBE(flags, 1, 3);
  fields.forEach((field, i) => body.writeUInt32BE(field, 4 + 4 * i));
  return writeBox(type, body);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function malformed(what: string, cause?: unknown): PipelineError {
  return new PipelineError("ingest.malformed", `Not a readable MP4: ${what}.`, cause === undefined ? {} : { cause });
}

/** A box type fit for a message, whatever its bytes. */
export function printable(type: string): string {
  return /^[\x20-\x7e]{4}$/.test(type) ? `'${type}'` : `0x${Buffer.from(type, "latin1").toString("hex")}`;
}
