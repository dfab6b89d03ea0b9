import { type EncodeJob, segmentSpans } from "@gakuen/contracts";
import {
  type CmafPart,
  type InitInfo,
  readFragment,
  readInit,
  repackAudio,
  retimeFragment,
  splitCmaf,
} from "@gakuen/media";

/** A segment of four seconds of the highest rung is a tenth of this; more is not a segment but a runaway. */
const MAX_PART_BYTES = 64 * 1024 * 1024;

/**
 * What the encoder's pipe gives, as the CMAF track of the title: the same samples, with the title's times.
 *
 * @param output bytes of one rung as ffmpeg writes them, times counted from the chunk's start
 * @param index of the track within the job
 */
export function trackBody(job: EncodeJob, index: number, output: AsyncIterable<Uint8Array>): AsyncGenerator<CmafPart> {
  const parts = splitCmaf(output, { maxPartBytes: MAX_PART_BYTES });
  return job.kind === "video" ? retimed(job, index, parts) : repacked(job, parts);
}

async function* retimed(
  job: Extract<EncodeJob, { kind: "video" }>,
  index: number,
  parts: AsyncIterable<CmafPart>,
): AsyncGenerator<CmafPart> {
  const track = job.tracks[index];
  const startTicks = job.chunk.startFrame * (track?.sampleTicks ?? 0);
  let sequenceNumber = job.chunk.firstSegment;
  let init: InitInfo | undefined;
  for await (const part of parts) {
    if (part.kind === "init") init = readInit(part.bytes);
    else if (init) {
      // Added to ffmpeg's own time, not counted up: a gap in what it made must stay visible to whoever checks.
      const { decodeTime } = readFragment(part.bytes, init);
      retimeFragment(part.bytes, { sequenceNumber, decodeTime: decodeTime + startTicks });
      sequenceNumber += 1;
    }
    yield part;
  }
}

function repacked(
  job: Extract<EncodeJob, { kind: "audio" }>,
  parts: AsyncIterable<CmafPart>,
): AsyncGenerator<CmafPart> {
  const { chunk } = job;
  const [track] = job.tracks;
  const packetTicks = track?.sampleTicks ?? 1;
  const offset = chunk.startPacket * packetTicks;
  const segments = (function* () {
    if (!track) return;
    for (const span of segmentSpans(track))
      yield {
        number: chunk.firstSegment + span.number - 1,
        start: offset + span.start,
        packets: span.duration / packetTicks,
      };
  })();
  return repackAudio(parts, { skip: chunk.preroll, segments, packetTicks });
}
