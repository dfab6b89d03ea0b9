import { writeBox, writeFullBox } from "../boxes.ts";

/** Builds small tracks for tests, box by box. */

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, 4 * i));
  return bytes;
};

/** An init segment of one AAC track with id 1 at 48 kHz, laid out as ffmpeg does. */
export function audioInit(trex: { duration?: number; size?: number; flags?: number } = {}): Buffer {
  const esds = Buffer.from("00000000030d00010004084015000000000000000000000005021190", "hex");
  // Descriptor sizes: ES 3 + 2 + 17, decoder config 13 + 2 + 2.
  esds[5] = 3 + 2 + 13 + 2 + 2;
  esds[10] = 13 + 2 + 2;
  const config = Buffer.concat([esds.subarray(0, 11), Buffer.alloc(13, 0x40), Buffer.from("05021190", "hex")]);
  const entry = Buffer.alloc(28);
  entry.writeUInt16BE(1, 6);
  entry.writeUInt16BE(2, 16);
  entry.writeUInt16BE(16, 18);
  entry.writeUInt32BE(48_000 * 2 ** 16, 24);
  const stsd = writeBox("stsd", u32(0, 1), writeBox("mp4a", entry, writeBox("esds", config)));
  const mdia = writeBox(
    "mdia",
    writeFullBox("mdhd", 0, 0, 0, 0, 48_000, 0, 0),
    writeBox("hdlr", u32(0, 0), Buffer.from("soun"), Buffer.alloc(13)),
    writeBox("minf", writeBox("stbl", stsd)),
  );
  const tkhd = writeFullBox("tkhd", 0, 3, 0, 0, 1, 0, 0);
  const mvex = writeBox("mvex", writeFullBox("trex", 0, 0, 1, 1, trex.duration ?? 0, trex.size ?? 0, trex.flags ?? 0));
  return Buffer.concat([
    writeBox("ftyp", Buffer.from("iso6\0\0\0\0cmfc", "latin1")),
    writeBox("moov", writeFullBox("mvhd", 0, 0, 0, 0, 1000, 0), writeBox("trak", tkhd, mdia), mvex),
  ]);
}

interface FragmentShape {
  readonly packets: readonly Uint8Array[];
  readonly decodeTime?: number;
  readonly tfdtVersion?: 0 | 1;
  /** Fields of tfhd after the track id, and the flags that say which they are. */
  readonly tfhd?: { readonly flags: number; readonly fields: readonly number[] };
  /** Boxes before the moof. */
  readonly before?: readonly Uint8Array[];
}

/** A moof and an mdat with the given packets; each lasts 1024 ticks unless `tfhd` says otherwise. */
export function fragment(shape: FragmentShape): Buffer {
  const { packets, decodeTime = 0, tfdtVersion = 1 } = shape;
  const tfhd = shape.tfhd ?? { flags: 0x2_0008, fields: [1024] };
  const time = tfdtVersion === 1 ? [Math.floor(decodeTime / 2 ** 32), decodeTime % 2 ** 32] : [decodeTime];
  const moof = (dataOffset: number): Buffer =>
    writeBox(
      "moof",
      writeFullBox("mfhd", 0, 0, 1),
      writeBox(
        "traf",
        writeFullBox("tfhd", 0, tfhd.flags, 1, ...tfhd.fields),
        writeFullBox("tfdt", tfdtVersion, 0, ...time),
        writeFullBox("trun", 0, 0x201, packets.length, dataOffset, ...packets.map((packet) => packet.length)),
      ),
    );
  return Buffer.concat([...(shape.before ?? []), moof(moof(0).length + 8), writeBox("mdat", ...packets)]);
}

/** A stream of `bytes` in pieces whose lengths repeat `lengths`. */
export async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (let i = 0; offset < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? bytes.length;
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
