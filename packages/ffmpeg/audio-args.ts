import type { EncodeJob } from "@gakuen/contracts";
import { sourceInputOptions, sourceUrl } from "./source-input.ts";

type AudioJob = Extract<EncodeJob, { kind: "audio" }>;

export interface AudioArgsOptions {
  readonly pipe?: number;
}

/** Samples per AAC packet (ISO/IEC 14496-3), which is also the encoder's delay in ffmpeg. */
const PACKET = 1024;
/** Packets encoded beyond the chunk's end, so that its last ones see what follows them. */
const LOOKAHEAD_PACKETS = 3;
/** Decoders (MP3's bit reservoir, Opus' convergence) and the resampler run at least this long before the first sample. */
const WARM_UP_SECONDS = 1;
const SEEK_MARGIN_SECONDS = 0.5;
/** How much less sound than its packets promise a whole source may give: decoders and clocks differ by that much. */
const TOLERANCE_SECONDS = 0.25;

/**
 * ffmpeg's arguments for one chunk of audio: packets [startPacket − preroll, endPacket) and a few more, as a CMAF track
 * in small fragments on one pipe. Packet p presents samples [1024·p, 1024·(p + 1)) of the title's clock.
 */
export function audioArgs(job: AudioJob, options: AudioArgsOptions = {}): readonly string[] {
  const [track] = job.tracks;
  if (track === undefined) throw new RangeError("an audio chunk makes one track");
  const { sampleRate, bitrate, name } = track.encoder;
  const span = sampleSpan(job, sampleRate);
  return [
    ["-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1", "-copyts", "-start_at_zero"],
    sourceInputOptions(job.source),
    seekOptions(job, span.anchorSeconds),
    ["-i", sourceUrl(job.source)],
    ["-map", `0:${track.stream}`, "-vn", "-sn", "-dn", "-af", soundFilters(job, span, track.encoder)],
    ["-c:a", name, "-b:a", `${bitrate}`, "-threads", "1"],
    ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"],
    ["-frag_duration", "500000", "-movflags", "+cmaf+skip_trailer", "-f", "mp4", "-flush_packets", "1"],
    `pipe:${options.pipe ?? 3}`,
  ].flat();
}

interface SampleSpan {
  /** Whole second of the title's clock at which the chunk's own sample count begins. */
  readonly anchorSeconds: number;
  /** Samples [first, end) counted from there go to the encoder. */
  readonly first: number;
  readonly end: number;
}

function sampleSpan({ chunk }: AudioJob, sampleRate: number): SampleSpan {
  // The encoder's first packet holds its delay: fed from one packet later on, packet n decodes to the title's packet n.
  const first = (chunk.startPacket - chunk.preroll + 1) * PACKET;
  const end = (chunk.endPacket + LOOKAHEAD_PACKETS) * PACKET;
  // A whole second is a whole number of samples at every rate, so resampling has the same phase in every chunk.
  const anchorSeconds = Math.max(0, Math.floor(first / sampleRate - WARM_UP_SECONDS));
  const anchor = anchorSeconds * sampleRate;
  return { anchorSeconds, first: first - anchor, end: end - anchor };
}

function seekOptions(job: AudioJob, anchorSeconds: number): readonly string[] {
  const { seek } = job.chunk;
  if (seek.mode === "start") return [];
  const latest = anchorSeconds + job.originMicroseconds / 1e6 - SEEK_MARGIN_SECONDS;
  const seconds = Math.min(seek.seconds, latest);
  return seconds <= 0 ? [] : ["-noaccurate_seek", "-ss", seconds.toFixed(6)];
}

function soundFilters(job: AudioJob, span: SampleSpan, encoder: AudioJob["tracks"][number]["encoder"]): string {
  const anchorMicroseconds = job.originMicroseconds + span.anchorSeconds * 1_000_000;
  return [
    `asetpts='${countedTimes}'`,
    `asetpts=PTS-round(${anchorMicroseconds}*SR/1000000)`,
    "atrim=start_pts=0",
    // At the source's own rate, so that silence before a late start and in gaps is exact to the sample.
    "aresample=async=1:first_pts=0",
    `aresample=${encoder.sampleRate}`,
    `aformat=sample_fmts=fltp:sample_rates=${encoder.sampleRate}:channel_layouts=${encoder.channelLayout}`,
    `apad=${silence(job, span, encoder.sampleRate)}`,
    `atrim=start_sample=${span.first}:end_sample=${span.end}`,
    "asetpts=N",
  ].join(",");
}

/**
 * No more silence than the plan knows of: ffmpeg ends without an error where a source ends too early, and what it lacks
 * must be missing in the output, where it is counted.
 */
function silence({ chunk }: AudioJob, span: SampleSpan, sampleRate: number): string {
  if (chunk.padding === undefined) return `whole_len=${span.end}`;
  return `pad_len=${chunk.padding + LOOKAHEAD_PACKETS * PACKET + Math.round(TOLERANCE_SECONDS * sampleRate)}`;
}

/**
 * Times from the count of samples, because Matroska's clock counts milliseconds: the time of a packet and that of the
 * container's start are each up to half a millisecond off, and a chunk that began from such a time would be shifted
 * against its neighbours. So the first time is moved to a whole number of packets where it is that near to one, and
 * later ones follow by counting, unless they jump. (MP4's AAC with the usual priming of 2112 samples lies 64 samples,
 * 1.33 ms, off that grid, exactly: the limit must stay below.) An Opus packet that lacks its first 312 samples (the
 * pre-skip, RFC 7845 §4.2, 6.5 ms that became 7) is measured from where it would have begun.
 */
const countedTimes = [
  "st(3,eq(SR,48000)*eq(mod(S+312,480),0))", // such an Opus packet
  "st(4,S+312*ld(3))", // samples of a whole packet
  "st(5,PTS-312*ld(3))", // where it begins
  "if(eq(N,0),st(0,round(ld(5)/ld(4))*ld(4)-ld(5)))",
  "if(eq(N,0)*gt(abs(ld(0)),(0.00105+0.00095*ld(3))*SR),st(0,0))",
  "st(1,if(gt(N,0)*lt(abs(PTS+ld(0)-ld(2)),0.1*SR),ld(2),PTS+ld(0)))",
  "st(2,ld(1)+S)",
  "ld(1)",
].join(";");
