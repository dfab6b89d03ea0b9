import { type EncodeJob, segmentSpans } from "@gakuen/contracts";
import { type CmafPart, readFragment, readInit, splitCmaf } from "@gakuen/media";
import { demand, demandEqual } from "./report.ts";

const MAX_PART_BYTES = 64 * 1024 * 1024;

/**
 * Compares a track that was sent with what the job says of it (I-8, I-9, I-10): codec, clock, size, times and numbers of
 * samples. Says nothing of the samples' bytes.
 */
export async function demandPlannedTrack(job: EncodeJob, trackId: string, body: Buffer): Promise<void> {
  const track = job.tracks.find(({ id }) => id === trackId);
  demand(track !== undefined, `${trackId} is no track of ${job.chunk.id}`);
  const [first, ...segments] = await partsOf(body);
  demand(first?.kind === "init", "it does not begin with an init segment (I-7)");
  const init = readInit(first.bytes);
  const told = { codec: init.codec, timescale: init.timescale, editList: init.hasEditList };
  demandEqual("the init segment (I-8)", told, { codec: track.codec, timescale: track.timescale, editList: false });
  if (track.kind === "video") demandEqual("its size", [init.width, init.height], [track.width, track.height]);
  else demandEqual("its sound", [init.channels, init.sampleRate], [track.channels, track.encoder.sampleRate]);
  const begin = (job.kind === "video" ? job.chunk.startFrame : job.chunk.startPacket) * track.sampleTicks;
  const planned = [...segmentSpans(track)].map(({ start, duration }) => ({
    decodeTime: begin + start,
    samples: duration / track.sampleTicks,
    duration,
    startsWithSync: true,
    firstPresentationOffset: 0,
  }));
  const sent = segments.map((part) => {
    const { decodeTime, samples, duration, startsWithSync, firstPresentationOffset } = readFragment(part.bytes, init);
    return { decodeTime, samples, duration, startsWithSync, firstPresentationOffset };
  });
  demandEqual("its segments (I-9, I-10)", sent, planned);
}

/** Byte for byte; the first difference is named by its part. */
export async function demandSameBytes(body: Buffer, wanted: readonly CmafPart[]): Promise<void> {
  const sent = await partsOf(body);
  for (const [index, { kind, bytes }] of wanted.entries()) {
    const other = sent[index]?.bytes ?? Buffer.alloc(0);
    if (bytes.equals(other)) continue;
    const what = kind === "init" ? "the init segment" : `segment ${index} of the chunk`;
    const at = bytes.findIndex((byte, offset) => byte !== other[offset]);
    throw new Error(
      `${what} differs from byte ${at} on: ${bytes.length} bytes are demanded, ${other.length} were sent`,
    );
  }
}

async function partsOf(body: Buffer): Promise<CmafPart[]> {
  const once = (async function* () {
    yield body;
  })();
  return await Array.fromAsync(splitCmaf(once, { maxPartBytes: MAX_PART_BYTES }));
}
