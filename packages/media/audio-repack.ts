import { PipelineError } from "@gakuen/contracts";
import { writeBox, writeBoxHeader, writeFullBox } from "./boxes.ts";
import type { CmafPart } from "./cmaf-splitter.ts";
import { readFragment } from "./fragment.ts";
import { type InitInfo, readInit } from "./init-segment.ts";

/** A segment as planned: its number, its decode time in ticks, and how many packets it has. */
export interface PlannedAudioSegment {
  readonly number: number;
  readonly start: number;
  readonly packets: number;
}

/**
 * Cuts a track of audio packets anew: the init segment as it came, then one fragment per planned segment, whatever
 * fragments the packets came in. The first `skip` packets are dropped (preroll), so are those after the last segment,
 * but the source is read to its end so that the encoder behind it can finish. Every packet lasts `packetTicks`.
 * Holds no more than one segment and one incoming fragment.
 *
 * Errors: `encode.incomplete` when the packets end before the segments do; `ingest.malformed`.
 */
export async function* repackAudio(
  parts: AsyncIterable<CmafPart>,
  options: {
    readonly skip: number;
    readonly segments: Iterable<PlannedAudioSegment>;
    readonly packetTicks: number;
  },
): AsyncGenerator<CmafPart> {
  const planned = [...options.segments];
  const wanted = planned.reduce((sum, segment) => sum + segment.packets, 0);
  let init: InitInfo | undefined;
  let toSkip = options.skip;
  let taken = 0;
  let next = 0;
  let packets: Buffer[] = [];
  for await (const part of parts) {
    if (part.kind === "init") {
      init = readInit(part.bytes);
      yield part;
      continue;
    }
    if (init === undefined)
      throw new PipelineError("ingest.malformed", "An audio fragment came before its init segment.");
    for (const packet of packetsOf(part.bytes, init)) {
      const segment = planned[next];
      if (segment === undefined) break;
      if (toSkip > 0) {
        toSkip -= 1;
        continue;
      }
      packets.push(packet);
      taken += 1;
      if (packets.length < segment.packets) continue;
      yield { kind: "fragment", bytes: audioFragment(init.trackId, segment, packets, options.packetTicks) };
      packets = [];
      next += 1;
    }
  }
  if (next < planned.length) {
    throw new PipelineError(
      "encode.incomplete",
      `The encoder made ${taken} of ${wanted} audio packets (after ${options.skip - toSkip} of ${options.skip} to skip): ` +
        "the source ended early or could not be read.",
    );
  }
}

function* packetsOf(bytes: Buffer, init: InitInfo): Generator<Buffer> {
  const fragment = readFragment(bytes, init);
  let offset = fragment.dataOffset;
  for (const size of fragment.sampleSizes) {
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

/** Every packet decodes on its own: sample_depends_on = 2, sample_is_non_sync_sample = 0 (ISO/IEC 14496-12 §8.8.3.1). */
const INDEPENDENT_SAMPLE = 0x0200_0000;
/** tfhd: default-base-is-moof, as CMAF demands, default duration and default flags (ISO/IEC 14496-12 §8.8.7.1). */
const TFHD_FLAGS = 0x02_0000 | 0x8 | 0x20;
/** trun: data offset, sizes per sample (ISO/IEC 14496-12 §8.8.8.1). */
const TRUN_FLAGS = 0x1 | 0x200;

/** One moof and one mdat (ISO/IEC 23000-19 §7.3.2.3); sequence numbers count segments. */
function audioFragment(
  trackId: number,
  segment: PlannedAudioSegment,
  packets: readonly Buffer[],
  packetTicks: number,
): Buffer {
  const moof = (dataOffset: number): Buffer =>
    writeBox(
      "moof",
      writeFullBox("mfhd", 0, 0, segment.number),
      writeBox(
        "traf",
        writeFullBox("tfhd", 0, TFHD_FLAGS, trackId, packetTicks, INDEPENDENT_SAMPLE),
        writeFullBox("tfdt", 1, 0, Math.floor(segment.start / 2 ** 32), segment.start % 2 ** 32),
        writeFullBox("trun", 0, TRUN_FLAGS, packets.length, dataOffset, ...packets.map((packet) => packet.length)),
      ),
    );
  const payload = packets.reduce((sum, packet) => sum + packet.length, 0);
  const mdatHeader = writeBoxHeader("mdat", payload);
  const dataOffset = moof(0).length + mdatHeader.length;
  return Buffer.concat([moof(dataOffset), mdatHeader, ...packets]);
}
