import type { AudioTrack, Plan, Rational, TimelineRun, Track, TrackId, VideoTrack } from "@gakuen/contracts";
import { initName, mediaPlaylistName, PipelineError } from "@gakuen/contracts";
import type { Bandwidth } from "./bandwidth.ts";
import { cicpChannelConfiguration } from "./channel-configuration.ts";

/** Stands for the number of a segment in {@link RepresentationBase.segmentTemplate}, as in ISO/IEC 23009-1 §5.3.9.4.4. */
export const NUMBER = "$Number$";

interface RepresentationBase {
  readonly id: TrackId;
  /** RFC 6381. */
  readonly codec: string;
  /** Bit/s: the peak over a segment and the mean; measured where all segments are stored, else the plan's estimates. */
  readonly bandwidth: number;
  readonly averageBandwidth: number;
  readonly timescale: number;
  /** Segments from time 0 without gaps, in ticks of `timescale`. */
  readonly timeline: readonly TimelineRun[];
  /** Names relative to the manifest. */
  readonly initName: string;
  readonly segmentTemplate: string;
  readonly playlistName: string;
}

export interface VideoRepresentation extends RepresentationBase {
  readonly kind: "video";
  readonly width: number;
  readonly height: number;
  readonly frameRate: Rational;
}

export interface AudioRepresentation extends RepresentationBase {
  readonly kind: "audio";
  /** BCP 47, null where unknown. */
  readonly language: string | null;
  /** Not empty, and no two of a presentation are equal. */
  readonly label: string;
  /** Exactly one audio representation of a presentation is the default. */
  readonly default: boolean;
  readonly channels: number;
  /** ISO/IEC 23091-3 ChannelConfiguration, null where the layout has no code point. */
  readonly channelConfiguration: number | null;
  readonly samplingRate: number;
}

export type Representation = VideoRepresentation | AudioRepresentation;

/** What a manifest says, before any syntax. */
export interface Presentation {
  readonly duration: { readonly ticks: number; readonly timescale: number };
  /** The ladder, lowest first; players switch between its rungs. Empty for an audio-only title. */
  readonly video: readonly VideoRepresentation[];
  /** Renditions that a viewer chooses between, in the plan's order. Empty for a silent title. */
  readonly audio: readonly AudioRepresentation[];
  /** All of them: each has a folder and a media playlist. */
  readonly tracks: readonly Representation[];
}

/**
 * The presentation of a whole title, whether or not its segments exist yet.
 * `measured` replaces the plan's estimates of the tracks it names; both are in bit/s.
 * Errors: `internal` when the video tracks are not cut at the same times, because players then cannot switch.
 */
export function presentation(plan: Plan, measured: ReadonlyMap<TrackId, Bandwidth> = new Map()): Presentation {
  const rungs = plan.tracks.filter((track) => track.kind === "video");
  const sounds = plan.tracks.filter((track) => track.kind === "audio");
  requireAligned(rungs);
  const main = sounds.find((track) => track.default) ?? sounds[0];
  const labels = distinctLabels(sounds);
  const video = rungs
    .map((track) => videoRepresentation(track, measured))
    // By the measured mean a rung may overtake its neighbour; the picture's size is what people call higher.
    .sort((a, b) => a.width * a.height - b.width * b.height || a.bandwidth - b.bandwidth);
  const audio = sounds.map((track, i) => audioRepresentation(track, measured, labels[i] ?? track.id, track === main));
  return { duration: plan.duration, video, audio, tracks: [...video, ...audio] };
}

function representationBase(track: Track, measured: ReadonlyMap<TrackId, Bandwidth>): RepresentationBase {
  const bandwidth = measured.get(track.id);
  return {
    id: track.id,
    codec: track.codec,
    bandwidth: bandwidth?.peak ?? track.bandwidth,
    averageBandwidth: bandwidth?.average ?? track.averageBandwidth,
    timescale: track.timescale,
    timeline: track.timeline,
    initName: initName(track.id),
    segmentTemplate: `${track.id}/${NUMBER}.m4s`,
    playlistName: mediaPlaylistName(track.id),
  };
}

function videoRepresentation(track: VideoTrack, measured: ReadonlyMap<TrackId, Bandwidth>): VideoRepresentation {
  const { width, height, frameRate } = track;
  return { kind: "video", ...representationBase(track, measured), width, height, frameRate };
}

function audioRepresentation(
  track: AudioTrack,
  measured: ReadonlyMap<TrackId, Bandwidth>,
  label: string,
  isDefault: boolean,
): AudioRepresentation {
  return {
    kind: "audio",
    ...representationBase(track, measured),
    language: track.language === "und" || track.language === "" ? null : track.language,
    label,
    default: isDefault,
    channels: track.channels,
    channelConfiguration: cicpChannelConfiguration(track.encoder.channelLayout),
    samplingRate: track.encoder.sampleRate,
  };
}

/** Players list renditions by label, and HLS forbids equal names in a group (RFC 8216 §4.3.4.1.1). */
function distinctLabels(tracks: readonly AudioTrack[]): string[] {
  const taken = new Set<string>();
  return tracks.map((track) => {
    const wanted = track.label.trim() || track.language || track.id;
    let label = wanted;
    for (let n = 2; taken.has(label); n++) label = `${wanted} (${n})`;
    taken.add(label);
    return label;
  });
}

function requireAligned(tracks: readonly VideoTrack[]): void {
  const [first] = tracks;
  const misfit = tracks.find((track) => first !== undefined && !sameCuts(first, track));
  if (misfit !== undefined)
    throw new PipelineError("internal", `track ${misfit.id} is not cut at the same times as ${first?.id}`);
}

function sameCuts(a: VideoTrack, b: VideoTrack): boolean {
  return (
    a.timescale === b.timescale &&
    a.timeline.length === b.timeline.length &&
    a.timeline.every((run, i) => run.ticks === b.timeline[i]?.ticks && run.count === b.timeline[i]?.count)
  );
}
