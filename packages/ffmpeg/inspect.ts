import { type Inspection, PipelineError, type SourceAddress } from "@gakuen/contracts";
import { readMp4Index } from "@gakuen/media";
import { decodableCodecs } from "./decodable-codecs.ts";
import { inspectAudio } from "./inspect-audio.ts";
import { inspectVideo } from "./inspect-video.ts";
import { matroskaEnd } from "./matroska-end.ts";
import { type Probe, type ProbedStream, probe } from "./probe.ts";
import { openSource, type SourceReader } from "./source-reader.ts";
import type { Tools } from "./tools.ts";

export interface InspectOptions {
  readonly tools: Tools;
  readonly signal: AbortSignal;
  /** Told after each step how long it took. */
  readonly log?: (step: string, facts: { readonly milliseconds: number }) => void;
}

/** Containers whose demuxer lands exactly where it is sent and knows the times of what it finds there. */
const seekableFormats = new Set(["mov", "matroska", "webm", "wav", "w64", "flac"]);

/**
 * Measures what a source is. Reads only the index, a few windows of pictures and three mebibytes for the fingerprint
 * where the container has an index that we read (MP4, QuickTime); else all packets once.
 * Errors: every `source.*` code; each message says what is wrong with the source and what to do.
 */
export async function inspectSource(address: SourceAddress, options: InspectOptions): Promise<Inspection> {
  const { tools, signal } = options;
  const timed = stopwatch(options);
  const reader = await timed("open", openSource(address, { signal }));
  // They need nothing of each other, so none waits; each is awaited where it is needed.
  const [fingerprint, index, probed, decodable, end] = await Promise.allSettled([
    timed("fingerprint", reader.fingerprint()),
    timed("index", readMp4Index(reader)),
    timed("probe", probe(address, tools, signal)),
    timed("codecs", decodableCodecs(tools)),
    declaredEnd(reader),
  ]);
  signal.throwIfAborted();
  // A file that ends too early is called so, whatever else fails because of it.
  demandWhole(address, reader.size, Math.max(valueOf(index)?.dataEnd ?? 0, valueOf(end)));
  const { streams, format } = probeResult(address, probed);
  const { video: videoStream, audio: audioStreams } = chooseStreams(address, streams, valueOf(decodable));
  const containerStart = format.start_time ?? 0;
  const seekable = format.format_name.split(",").some((name) => seekableFormats.has(name));
  const source = {
    address,
    index: valueOf(index),
    containerStart,
    containerDuration: format.duration,
    seekable,
    tools,
    signal,
  };
  const measured = videoStream === null ? null : await timed("video", inspectVideo({ ...source, stream: videoStream }));
  const sounds = audioStreams.usable.map((stream) =>
    inspectAudio({ ...source, stream, soundOnly: videoStream === null }),
  );
  const audio = (await timed("audio", Promise.all(sounds))).filter((one) => one !== null);
  const ends = [measured?.video.end ?? 0, ...audio.map((one) => one.start + (one.duration ?? format.duration ?? 0))];
  const duration = Math.max(...ends);
  if (!(duration > 0)) throw new PipelineError("source.zero-duration", `${nameOf(address)} lasts no time at all`);
  return {
    fingerprint: valueOf(fingerprint),
    bytes: reader.size,
    container: format.format_name,
    seekable,
    duration,
    video: measured?.video ?? null,
    audio,
    warnings: [
      ...(measured?.warnings ?? []),
      ...audioStreams.unusable.map((stream) => `sound stream ${stream.index} is left out: it cannot be decoded`),
    ],
  };
}

const nameOf = (address: SourceAddress): string => (address.kind === "file" ? address.path : address.url);

function stopwatch({ log }: InspectOptions) {
  return async <T>(step: string, work: Promise<T>): Promise<T> => {
    const start = performance.now();
    try {
      return await work;
    } finally {
      log?.(step, { milliseconds: Math.round(performance.now() - start) });
    }
  };
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

async function declaredEnd(reader: SourceReader): Promise<number> {
  return matroskaEnd(await reader.read(0, Math.min(reader.size, 4096))) ?? 0;
}

function demandWhole(address: SourceAddress, size: number, wanted: number): void {
  if (wanted > size)
    throw new PipelineError(
      "source.truncated",
      `${nameOf(address)} is cut off: it has ${size} bytes, its index speaks of ${wanted}. Copy or download it again.`,
    );
}

function probeResult(address: SourceAddress, probed: PromiseSettledResult<Probe>): Probe {
  if (probed.status === "fulfilled") return probed.value;
  const { reason } = probed;
  if (reason instanceof PipelineError && reason.code === "tool.failed")
    throw new PipelineError("source.not-media", `${nameOf(address)} is not a film or sound file that ffmpeg can read`, {
      cause: reason,
    });
  throw reason;
}

interface ChosenStreams {
  readonly video: ProbedStream | null;
  readonly audio: { readonly usable: readonly ProbedStream[]; readonly unusable: readonly ProbedStream[] };
}

/**
 * The picture and the sounds that become tracks. Cover art and thumbnails are pictures about the film, not of it.
 * Errors: `source.no-streams`, `source.unsupported-codec`.
 */
function chooseStreams(
  address: SourceAddress,
  streams: readonly ProbedStream[],
  decodable: ReadonlySet<string>,
): ChosenStreams {
  const isDecodable = (stream: ProbedStream): boolean => decodable.has(stream.codec_name ?? "");
  const videos = streams.filter(
    ({ codec_type, disposition }) =>
      codec_type === "video" && !disposition.attached_pic && !disposition.timed_thumbnails,
  );
  const audios = streams.filter((stream) => stream.codec_type === "audio");
  if (videos.length + audios.length === 0)
    throw new PipelineError("source.no-streams", `${nameOf(address)} has neither video nor audio`);
  const video = videos.find((stream) => stream.disposition.default) ?? videos[0] ?? null;
  const usable = audios.filter((stream) => isDecodable(stream) && (stream.channels ?? 0) > 0);
  const unusable = audios.filter((stream) => !usable.includes(stream));
  const lost = video !== null && !isDecodable(video) ? video : video === null && usable.length === 0 ? audios[0] : null;
  if (lost != null)
    throw new PipelineError(
      "source.unsupported-codec",
      `${nameOf(address)}: this ffmpeg cannot decode its ${lost.codec_type} (${lost.codec_name ?? "unknown codec"}); ` +
        `install a fuller ffmpeg or convert the file first`,
    );
  return { video, audio: { usable, unusable } };
}
