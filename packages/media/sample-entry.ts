import { type Box, findBox, malformed, printable, readBoxes } from "./boxes.ts";

/** What a sample entry says of a track. */
export interface SampleEntry {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly sampleRate: number;
}

/** Bytes of a sample entry before the boxes in it (ISO/IEC 14496-12 §12.1.3, §12.2.3). */
const VISUAL_ENTRY = 78;
const AUDIO_ENTRY = 28;

/** Errors: `ingest.malformed` for codecs that no track of ours has and for entries that are cut short. */
export function readSampleEntry(kind: "video" | "audio", entry: Box): SampleEntry {
  const fixed = kind === "video" ? VISUAL_ENTRY : AUDIO_ENTRY;
  if (entry.body.length < fixed) throw malformed(`sample entry ${printable(entry.type)} is too short`);
  const boxes = entry.body.subarray(fixed);
  const codec = codecs[entry.type];
  if (codec === undefined) throw malformed(`no codec string is known for sample entry ${printable(entry.type)}`);
  const common = { codec: codec(entry.type, boxes) };
  if (kind === "video") {
    return {
      ...common,
      width: entry.body.readUInt16BE(24),
      height: entry.body.readUInt16BE(26),
      channels: 0,
      sampleRate: 0,
    };
  }
  // MPEG-4 audio keeps its true channel count in its own configuration: the entry's field is 2 for mono too (ISO/IEC
  // 14496-14 §5.6.1). 16.16 fixed point: rates of 65,536 Hz and more do not fit and are written as 0 or cut off.
  return {
    ...common,
    width: 0,
    height: 0,
    channels: (entry.type === "mp4a" ? mpeg4Channels(boxes) : 0) || entry.body.readUInt16BE(16),
    sampleRate: entry.body.readUInt32BE(24) >>> 16,
  };
}

/** RFC 6381 codecs parameters by sample entry. */
const codecs: Readonly<Record<string, (type: string, boxes: Buffer) => string>> = {
  avc1: avcCodec,
  avc3: avcCodec,
  hvc1: hevcCodec,
  hev1: hevcCodec,
  av01: av1Codec,
  mp4a: mpeg4AudioCodec,
  Opus: () => "Opus",
  fLaC: () => "fLaC",
  "ac-3": () => "ac-3",
  "ec-3": () => "ec-3",
};

/** profile_idc, constraint flags and level_idc as lower-case hexadecimal (RFC 6381 §3.3, ISO/IEC 14496-15 §5.3.3.1). */
function avcCodec(type: string, boxes: Buffer): string {
  const avcC = configuration(boxes, "avcC", 4);
  return `${type}.${avcC.subarray(1, 4).toString("hex")}`;
}

/** ISO/IEC 14496-15 Annex E.3. */
function hevcCodec(type: string, boxes: Buffer): string {
  const hvcC = configuration(boxes, "hvcC", 13);
  const first = hvcC.readUInt8(1);
  const space = ["", "A", "B", "C"][first >> 6] ?? "";
  const tier = (first & 0x20) === 0 ? "L" : "H";
  const compatibility = reverseBits(hvcC.readUInt32BE(2)).toString(16).toUpperCase();
  const constraints = [...hvcC.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    type,
    `${space}${first & 0x1f}`,
    compatibility,
    `${tier}${hvcC.readUInt8(12)}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join(".");
}

/** AV1 Codec ISO Media File Format Binding, "Codecs Parameter String", without its optional fields. */
function av1Codec(type: string, boxes: Buffer): string {
  const av1C = configuration(boxes, "av1C", 4);
  const profile = av1C.readUInt8(1) >> 5;
  const level = av1C.readUInt8(1) & 0x1f;
  const flags = av1C.readUInt8(2);
  const tier = (flags & 0x80) === 0 ? "M" : "H";
  const highBitDepth = (flags & 0x40) !== 0;
  const bitDepth = highBitDepth ? ((flags & 0x20) !== 0 ? 12 : 10) : 8;
  return `${type}.${profile}.${twoDigits(level)}${tier}.${twoDigits(bitDepth)}`;
}

/** Object type indication, and for MPEG-4 audio its object type (RFC 6381 §3.3; ISO/IEC 14496-1 §7.2.6, 14496-14 §6.7). */
function mpeg4AudioCodec(_type: string, boxes: Buffer): string {
  const { objectType, specific } = decoderConfig(boxes);
  if (objectType !== 0x40) return `mp4a.${objectType.toString(16).toUpperCase()}`;
  return `mp4a.40.${audioObjectType(specific)}`;
}

/** ChannelConfiguration of an AudioSpecificConfig as a count (ISO/IEC 14496-3 §1.6.2.1, Table 1.19); 0 where it is told elsewhere. */
function mpeg4Channels(boxes: Buffer): number {
  const { objectType, specific } = decoderConfig(boxes);
  if (objectType !== 0x40) return 0;
  const bits = [...specific.subarray(0, 8)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const afterType = audioObjectType(specific) > 31 ? 11 : 5;
  // Sampling frequency index 15 is followed by the frequency itself, in 24 bits.
  const at = afterType + 4 + (bits.slice(afterType, afterType + 4) === "1111" ? 24 : 0);
  const configuration = Number.parseInt(bits.slice(at, at + 4) || "0", 2);
  return configuration === 7 ? 8 : configuration;
}

/** GetAudioObjectType(), ISO/IEC 14496-3 §1.6.2.1: 31 escapes to 32 plus the next six bits. */
function audioObjectType([first = 0, second = 0]: Buffer): number {
  return first >> 3 === 31 ? 32 + (((first & 7) << 3) | (second >> 5)) : first >> 3;
}

/** DecoderConfigDescriptor and, for MPEG-4 audio, its AudioSpecificConfig (ISO/IEC 14496-1 §7.2.6.6). */
function decoderConfig(boxes: Buffer): { objectType: number; specific: Buffer } {
  const esds = configuration(boxes, "esds", 4);
  const es = descriptor(esds.subarray(4), 0x03);
  let offset = 3;
  const flags = es[2] ?? 0;
  if ((flags & 0x80) !== 0) offset += 2;
  if ((flags & 0x40) !== 0) offset += 1 + (es[offset] ?? 0);
  if ((flags & 0x20) !== 0) offset += 2;
  const config = descriptor(es.subarray(offset), 0x04);
  const objectType = config[0];
  if (objectType === undefined) throw malformed("box 'esds' is too short");
  return { objectType, specific: objectType === 0x40 ? descriptor(config.subarray(13), 0x05) : Buffer.alloc(0) };
}

/** The payload of the first descriptor, which must have this tag (ISO/IEC 14496-1 §8.3.3: size in 7 bits per byte). */
function descriptor(bytes: Buffer, tag: number): Buffer {
  if (bytes[0] !== tag) throw malformed(`box 'esds' has descriptor ${bytes[0]} where ${tag} belongs`);
  let size = 0;
  let offset = 1;
  for (let more = true; more; offset++) {
    const byte = bytes[offset];
    if (byte === undefined || offset > 4) throw malformed("box 'esds' has a descriptor without an end");
    size = (size << 7) | (byte & 0x7f);
    more = (byte & 0x80) !== 0;
  }
  if (offset + size > bytes.length) throw malformed("box 'esds' is too short for its descriptors");
  return bytes.subarray(offset, offset + size);
}

function configuration(boxes: Buffer, type: string, minimum: number): Buffer {
  const body = (findBox(boxes, type) ?? inWave(boxes, type))?.body;
  if (body === undefined || body.length < minimum)
    throw malformed(`the codec configuration ${printable(type)} is missing`);
  return body;
}

/** QuickTime keeps the audio configuration in a `wave` box. */
function inWave(boxes: Buffer, type: string): Box | undefined {
  for (const box of readBoxes(boxes)) if (box.type === "wave") return findBox(box.body, type);
  return undefined;
}

function reverseBits(value: number): number {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result = (result << 1) | ((value >>> bit) & 1);
  return result >>> 0;
}

const twoDigits = (value: number): string => value.toString().padStart(2, "0");
