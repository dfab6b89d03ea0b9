import type { EncodeJob } from "@gakuen/contracts";
import { segmentSpans } from "@gakuen/contracts";
import { audioArgs, startProcess, videoArgs } from "@gakuen/ffmpeg";
import { type CmafPart, readFragment, readInit, repackAudio, retimeFragment, splitCmaf } from "@gakuen/media";

const MAX_PART_BYTES = 64 * 1024 * 1024;

/**
 * What a chunk's encoder must send (docs/contracts/encoding.md), made here: of each track its init segment, then its
 * segments.
 */
export async function referenceTracks(job: EncodeJob, ffmpegCommand: string): Promise<ReadonlyMap<string, CmafPart[]>> {
  const args = job.kind === "video" ? videoArgs(job) : audioArgs(job);
  const ffmpeg = startProcess(ffmpegCommand, args, {
    signal: AbortSignal.timeout(120_000),
    outputs: job.tracks.length,
  });
  const tracks = await Promise.all(
    ffmpeg.outputs.map(async (output, index) => {
      const parts = splitCmaf(output, { maxPartBytes: MAX_PART_BYTES });
      return [job.tracks[index]?.id ?? "", await Array.fromAsync(titleTimes(job, index, parts))] as const;
    }),
  );
  const { exitCode } = await ffmpeg.done;
  if (exitCode !== 0) throw new Error(`the kit's own ffmpeg failed: ${ffmpeg.stderrTail()}`);
  return new Map(tracks);
}

/** E-8 and E-9. */
async function* titleTimes(job: EncodeJob, index: number, parts: AsyncIterable<CmafPart>): AsyncGenerator<CmafPart> {
  const { firstSegment } = job.chunk;
  if (job.kind === "audio") {
    const [track] = job.tracks;
    if (!track) return;
    const { sampleTicks: packetTicks } = track;
    const segments = segmentSpans(track).map(({ number, start, duration }) => ({
      number: firstSegment + number - 1,
      start: job.chunk.startPacket * packetTicks + start,
      packets: duration / packetTicks,
    }));
    yield* repackAudio(parts, { skip: job.chunk.preroll, segments, packetTicks });
    return;
  }
  const start = job.chunk.startFrame * (job.tracks[index]?.sampleTicks ?? 0);
  let init: ReturnType<typeof readInit> | undefined;
  let sequenceNumber = firstSegment;
  for await (const part of parts) {
    if (part.kind === "init") init = readInit(part.bytes);
    else if (init) {
      const { decodeTime } = readFragment(part.bytes, init);
      retimeFragment(part.bytes, { sequenceNumber, decodeTime: decodeTime + start });
      sequenceNumber += 1;
    }
    yield part;
  }
}
