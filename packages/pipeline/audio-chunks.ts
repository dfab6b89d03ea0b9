import type { AudioChunk, AudioTrack, ChunkId } from "@gakuen/contracts";
import { segmentSpans } from "@gakuen/contracts";
import type { SegmentRun } from "./chunking.ts";

/** A seek must not wait for an hour of sound: 2 minutes of stereo AAC are about 3 s of CPU. */
const CHUNK_SECONDS = 120;

/** Packets encoded before a chunk and dropped, so that its first one is coded as if the encoder had come by: without
 * any the joins click (SNR 9 dB), with 4 they cannot be heard (30 dB); 8 cost nothing. */
const PREROLL_PACKETS = 8;

/** How long before its first sample a decoder is set off: covers a codec's own preroll and sparse container indexes. */
const SEEK_LEAD_SECONDS = 2;

/** @param end of the source's sound in seconds from the container's start time; null where it is not known */
export function audioChunks(
  track: AudioTrack,
  originMicroseconds: number,
  seekable: boolean,
  end: number | null,
): readonly AudioChunk[] {
  const spans = [...segmentSpans(track)];
  const seconds = (ticks: number): number => ticks / track.timescale;
  const perChunk = seekable
    ? Math.max(1, Math.round(CHUNK_SECONDS / seconds(track.timeline[0]?.ticks ?? track.timescale)))
    : spans.length;

  const runs: SegmentRun[] = [];
  for (let first = 1; first <= spans.length; first += perChunk)
    runs.push({ first, segments: Math.min(perChunk, spans.length - first + 1) });

  return runs.map((run, index): AudioChunk => {
    const from = spans[run.first - 1]?.start ?? 0;
    const lastSpan = spans[run.first + run.segments - 2];
    const to = lastSpan ? lastSpan.start + lastSpan.duration : from;
    const startPacket = from / track.sampleTicks;
    const preroll = Math.min(PREROLL_PACKETS, startPacket);
    const at = originMicroseconds / 1e6 + seconds(from - preroll * track.sampleTicks) - SEEK_LEAD_SECONDS;
    return {
      kind: "audio",
      id: `${track.id}-${index}` as ChunkId,
      tracks: [track.id],
      firstSegment: run.first,
      segments: run.segments,
      seek: index === 0 || at <= 0 ? { mode: "start" } : { mode: "before", seconds: Math.round(at * 1e6) / 1e6 },
      startPacket,
      endPacket: to / track.sampleTicks,
      preroll,
      ...(end === null
        ? {}
        : { padding: Math.max(0, to - Math.floor((end - originMicroseconds / 1e6) * track.timescale)) }),
    };
  });
}
