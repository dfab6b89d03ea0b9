import { PipelineError } from "@gakuen/contracts";
import { asBuffer, malformed, MAX_BOX_HEADER, printable, readBoxHeader } from "./boxes.ts";

/** An init segment (ftyp + moov), or a fragment: moof + mdat and the styp, prft and emsg boxes before them. */
export type CmafPart =
  | { readonly kind: "init"; readonly bytes: Buffer }
  | { readonly kind: "fragment"; readonly bytes: Buffer };

/** What becomes of each box on the top level of a CMAF track file (ISO/IEC 23000-19 §7.3.2). */
const treatment: Readonly<Record<string, "keep" | "init" | "fragment" | "drop">> = {
  ftyp: "keep",
  moov: "init",
  styp: "keep",
  prft: "keep",
  emsg: "keep",
  moof: "keep",
  mdat: "fragment",
  sidx: "drop",
  ssix: "drop",
  free: "drop",
  skip: "drop",
  wide: "drop",
  uuid: "drop",
  mfra: "drop",
};

/**
 * Cuts a CMAF track into its init segment and its fragments while it arrives, in whatever pieces it arrives.
 *
 * Every part is one contiguous buffer that belongs to the consumer. Each media byte is copied once; no more than one
 * part is held, and the source is read no faster than the parts are taken.
 *
 * Errors: `ingest.too-large` when a part has more than `maxPartBytes`; `ingest.malformed` when the bytes are not
 * boxes, end inside a part or hold no box at all; whatever the source throws.
 */
export async function* splitCmaf(
  source: AsyncIterable<Uint8Array>,
  options: { readonly maxPartBytes: number },
): AsyncGenerator<CmafPart> {
  const assembler = new PartAssembler(options.maxPartBytes);
  for await (const bytes of source) yield* assembler.push(asBuffer(bytes));
  assembler.end();
}

class PartAssembler {
  readonly #maxPartBytes: number;
  /** The header of the next box, as far as it has arrived. */
  readonly #header = Buffer.alloc(MAX_BOX_HEADER);
  #headerBytes = 0;
  /** Bytes of the current box that are still to come, and what is done with them. */
  #remaining = 0;
  #treatment: "keep" | "init" | "fragment" | "drop" = "drop";
  /** The part being put together: `#used` bytes of `#part`. */
  #part = Buffer.alloc(0);
  #used = 0;
  #hasMoof = false;
  #boxes = 0;

  constructor(maxPartBytes: number) {
    this.#maxPartBytes = maxPartBytes;
  }

  *push(bytes: Buffer): Generator<CmafPart> {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#remaining === 0) {
        offset = this.#takeHeader(bytes, offset);
      } else {
        const end = Math.min(bytes.length, offset + this.#remaining);
        if (this.#treatment !== "drop") this.#used += bytes.copy(this.#part, this.#used, offset, end);
        this.#remaining -= end - offset;
        offset = end;
      }
      const part = this.#finishedPart();
      if (part !== undefined) yield part;
    }
  }

  end(): void {
    if (this.#remaining > 0 || this.#headerBytes > 0) throw malformed("the track ends inside a box");
    if (this.#used > 0) throw malformed("the track ends inside a fragment: its mdat is missing");
    if (this.#boxes === 0) throw malformed("the track is empty");
  }

  /** Takes header bytes one by one: nearly always 8, and a box may begin anywhere in what has arrived. */
  #takeHeader(bytes: Buffer, start: number): number {
    let offset = start;
    while (offset < bytes.length) {
      this.#header[this.#headerBytes++] = bytes[offset++] ?? 0;
      const header = readBoxHeader(this.#header.subarray(0, this.#headerBytes), 0);
      if (header === undefined) continue;
      if (header.size === 0)
        throw malformed(`box ${printable(header.type)} has no size, which a stream of boxes needs`);
      this.#beginBox(header.type, header.headerSize, header.size);
      break;
    }
    return offset;
  }

  #beginBox(type: string, headerSize: number, size: number): void {
    const listed = treatment[type];
    if (listed === undefined) throw malformed(`box ${printable(type)} has no place in a CMAF track`);
    // Sample offsets count from the moof, so nothing between it and its mdat may vanish.
    const what = listed === "drop" && this.#hasMoof ? "keep" : listed;
    if (type === "mdat" && !this.#hasMoof) throw malformed("an mdat without a moof before it");
    if (type === "moof" && this.#hasMoof) throw malformed("a moof without an mdat after it");
    if (type === "moov" && this.#hasMoof) throw malformed("a moov between a moof and its mdat");
    this.#boxes += 1;
    this.#treatment = what;
    this.#remaining = size - headerSize;
    this.#headerBytes = 0;
    if (what === "drop") return;
    if (type === "moof") this.#hasMoof = true;
    this.#reserve(this.#used + size, what !== "keep");
    this.#used += this.#header.copy(this.#part, this.#used, 0, headerSize);
  }

  /** Room for `total` bytes of this part: exactly that many once its last box has begun, else with room to grow. */
  #reserve(total: number, last: boolean): void {
    if (total > this.#maxPartBytes) {
      throw new PipelineError(
        "ingest.too-large",
        `A part of the track has ${total} bytes, more than the ${this.#maxPartBytes} that are allowed. ` +
          "Shorten the segments or raise the limit.",
      );
    }
    if (total <= this.#part.length) return;
    const grown = Buffer.allocUnsafeSlow(last ? total : Math.max(total, 2 * this.#part.length));
    this.#part.copy(grown, 0, 0, this.#used);
    this.#part = grown;
  }

  #finishedPart(): CmafPart | undefined {
    if (this.#remaining > 0 || this.#headerBytes > 0) return undefined;
    if (this.#treatment !== "init" && this.#treatment !== "fragment") return undefined;
    const part: CmafPart = { kind: this.#treatment, bytes: this.#part.subarray(0, this.#used) };
    this.#part = Buffer.alloc(0);
    this.#used = 0;
    this.#hasMoof = false;
    this.#treatment = "drop";
    return part;
  }
}
