import type { EncodeJob, VideoTrack } from "@gakuen/contracts";
import { pictureFilters } from "./picture-filters.ts";
import { sourceInputOptions, sourceUrl } from "./source-input.ts";

type VideoJob = Extract<EncodeJob, { kind: "video" }>;

export interface VideoArgsOptions {
  /** fd of the first rung's pipe; the others follow. */
  readonly firstPipe?: number;
  /**
   * Indexes of the tracks to encode; all of them where it is left out. The picture is brought to every size either way,
   * so a rung that is encoded apart from the others has the same bytes.
   */
  readonly only?: readonly number[];
  /** They change nothing in the picture; 1 where it is left out, which costs least. */
  readonly decoderThreads?: number;
}

/**
 * ffmpeg's arguments for one chunk of video: decode once, bring the picture onto the title's grid, encode every rung
 * into a pipe of its own, in the order of `job.tracks`. The output of each is a CMAF track (ISO/IEC 23000-19) whose
 * decode times begin at zero, one fragment per segment.
 */
export function videoArgs(job: VideoJob, options: VideoArgsOptions = {}): readonly string[] {
  const firstPipe = options.firstPipe ?? 3;
  const encoded = job.tracks.map((track, index) => ({ track, index })).filter(({ index }) => isWanted(options, index));
  const unused = job.tracks.flatMap((_, index) => (isWanted(options, index) ? [] : [`;[v${index}]nullsink`]));
  const decoderThreads = `${options.decoderThreads ?? 1}`;
  return [
    ["-hide_banner", "-nostdin", "-loglevel", "error", "-filter_complex_threads", "1", "-threads", decoderThreads],
    // Times as the container says them, from its start time on: a seek must not move the title's clock.
    ["-copyts", "-start_at_zero"],
    sourceInputOptions(job.source),
    seekOptions(job.chunk.seek),
    ["-i", sourceUrl(job.source)],
    ["-filter_complex", pictureFilters(job) + unused.join("")],
    encoded.flatMap(({ track, index }, position) => rungArgs(job, track, index, firstPipe + position)),
  ].flat();
}

const isWanted = ({ only }: VideoArgsOptions, index: number): boolean => only?.includes(index) ?? true;

/**
 * Never an accurate seek: that drops every frame before the target, among them the one that is still on screen when
 * the chunk begins (sources of variable frame rate hold a frame for seconds). The grid's trim does the exact cut.
 */
function seekOptions(seek: VideoJob["chunk"]["seek"]): readonly string[] {
  if (seek.mode === "start" || seek.seconds <= 0) return [];
  return ["-noaccurate_seek", "-ss", seek.seconds.toFixed(6)];
}

function rungArgs(job: VideoJob, track: VideoTrack, index: number, pipe: number): readonly string[] {
  const { encoder } = track;
  const group = `${job.picture.framesPerSegment}`;
  const { colour } = job.picture;
  return [
    ["-map", `[v${index}]`, "-an", "-sn", "-dn", "-fps_mode", "passthrough"],
    ["-c:v", encoder.name, "-preset", encoder.preset, "-crf", `${encoder.crf}`],
    ["-maxrate", `${encoder.maxrate}`, "-bufsize", `${encoder.bufsize}`],
    // Every rung begins its segments at the same frames, so scene cuts make no keyframes.
    ["-g", group, "-keyint_min", group, "-sc_threshold", "0"],
    // x264 writes the profile that it uses, not the one that it may: with 8x8dct even `ultrafast` is High.
    ["-x264-params", "stitchable=1:open-gop=0:8x8dct=1"],
    // The manifest already says the codec string, so profile and level are not the encoder's choice.
    ["-profile:v", encoder.profile, "-level:v", `${encoder.level}`, "-pix_fmt", encoder.pixelFormat],
    ["-color_primaries", colour.primaries, "-color_trc", colour.transfer],
    ["-colorspace", colour.matrix, "-color_range", colour.range],
    // One thread: with a rate cap x264's bytes depend on how its threads happen to run, and a retry must make the same.
    ["-threads", "1", "-video_track_timescale", `${track.timescale}`],
    // Nothing that differs between chunks or versions may reach the init segment.
    ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"],
    ["-movflags", "+cmaf+frag_keyframe+skip_trailer", "-f", "mp4", "-flush_packets", "1", `pipe:${pipe}`],
  ].flat();
}
