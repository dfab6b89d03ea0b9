import type { ErrorCode } from "@gakuen/contracts";
import { type CmafPart, findBox } from "@gakuen/media";

/** A body that must be refused, made from a right one. */
export interface SpoiledTrack {
  readonly clause: string;
  /** What is wrong, to go after "refuses a track". */
  readonly what: string;
  readonly body: Buffer;
  readonly code: ErrorCode;
  /** How many media segments come before what is wrong; they stay. */
  readonly kept: number;
}

/** @param whole init segment and at least three segments @param sound a track of another kind */
export function spoiledTracks(whole: readonly CmafPart[], sound: readonly CmafPart[]): SpoiledTrack[] {
  const all = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);
  const [init = Buffer.alloc(0), first = Buffer.alloc(0), second = Buffer.alloc(0)] = whole.map(({ bytes }) => bytes);
  const bytes = all(...whole.map((part) => part.bytes));
  const segments = whole.length - 1;
  const spoiled = (clause: string, code: ErrorCode, what: string, body: Buffer, kept = 0): SpoiledTrack => ({
    clause,
    what,
    body,
    code,
    kept,
  });
  const malformed = "ingest.malformed" as const;
  const mismatch = "ingest.mismatch" as const;
  const moofEnd = first.readUInt32BE(0);
  return [
    spoiled("I-7", malformed, "of no bytes at all", Buffer.alloc(0)),
    spoiled("I-7", malformed, "of bytes that are no boxes", Buffer.from("This is not a film. ".repeat(500))),
    spoiled("I-7", malformed, "that begins with a segment", bytes.subarray(init.length)),
    spoiled("I-7", malformed, "that ends inside a box", all(init, first, second).subarray(0, -10), 1),
    spoiled("I-7", malformed, "that ends between moof and mdat", all(init, first.subarray(0, moofEnd))),
    spoiled(
      "I-8",
      mismatch,
      "with another timescale",
      all(withField(init, "mdhd", 12, 12_800), bytes.subarray(init.length)),
    ),
    spoiled("I-8", mismatch, "of sound where pictures were planned", all(...sound.map((part) => part.bytes))),
    spoiled("I-9", mismatch, "whose second segment has another decode time", all(init, first, moved(second)), 1),
    spoiled("I-9", mismatch, "whose segments are out of order", all(init, second, first)),
    spoiled("I-10", mismatch, "that lacks its last segment", bytes.subarray(0, -lengthOf(whole.at(-1))), segments - 1),
    spoiled("I-10", mismatch, "with one segment more than planned", all(bytes, second), segments),
    spoiled(
      "I-11",
      "ingest.too-large",
      "that announces a segment of a gigabyte",
      all(init, Buffer.from("400000006d6f6f66", "hex")),
    ),
  ];
}

const lengthOf = (part: CmafPart | undefined): number => part?.bytes.length ?? 0;

/** A copy with one byte of its last sample changed: what another encoder would have made. */
export function disagreeing(part: CmafPart): CmafPart {
  const bytes = Buffer.from(part.bytes);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 0xff, bytes.length - 1);
  return { ...part, bytes };
}

/** A segment as it is, but beginning a thousand ticks later. */
function moved(segment: Buffer): Buffer {
  const copy = Buffer.from(segment);
  const tfdt = findBox(copy, "moof", "traf", "tfdt");
  if (!tfdt) throw new Error("the kit's own segment has no tfdt");
  const at = tfdt.body.readUInt8(0) === 1 ? 8 : 4;
  tfdt.body.writeUInt32BE(tfdt.body.readUInt32BE(at) + 1000, at);
  return copy;
}

/** A copy of an init segment with a 32-bit field of the media header changed. */
function withField(init: Buffer, box: "mdhd", offset: number, value: number): Buffer {
  const copy = Buffer.from(init);
  const found = findBox(copy, "moov", "trak", "mdia", box);
  if (!found) throw new Error(`the kit's own init segment has no ${box}`);
  found.body.writeUInt32BE(value, offset);
  return copy;
}
