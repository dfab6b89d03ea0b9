import { PipelineError } from "@gakuen/contracts";
import type { AudioRepresentation, Presentation, Representation, VideoRepresentation } from "./model.ts";
import { NUMBER } from "./model.ts";
import { decimalSeconds, microseconds } from "./seconds.ts";

/** EXT-X-MAP in media playlists needs 6, the fMP4 profile of players and validators says 7 (RFC 8216 §7). */
const VERSION = "#EXT-X-VERSION:7";
const AUDIO_GROUP = "audio";

/**
 * The master (multivariant) playlist, RFC 8216 §4.3.4.
 *
 * Starting with the low rung: the variants stand lowest first. hls.js takes the greater of 500 kbit/s and the first
 * listed variant's BANDWIDTH for its first estimate (`abrEwmaDefaultEstimate`), so a ladder that lists a high rung first
 * makes it begin there; Apple's players begin with the first variant they can play. Both thus begin with the rung that
 * is encoded first. shaka-player ignores the order and chooses by BANDWIDTH, as it does for DASH.
 *
 * Errors: `internal` for a presentation without any track.
 */
export function writeMasterPlaylist({ video, audio }: Presentation): string {
  const variants = video.length > 0 ? video.flatMap((track) => videoVariant(track, audio)) : audioVariant(audio);
  if (variants.length === 0) throw new PipelineError("internal", "a presentation without tracks has no playlist");
  const lines = [
    "#EXTM3U",
    VERSION,
    "#EXT-X-INDEPENDENT-SEGMENTS",
    ...audio.map((track) => audioRendition(track, audio, video.length === 0 && track.default)),
    ...variants,
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * The media playlist of one track, whole and closed (RFC 8216 §4.3.3), whether or not the segments exist yet.
 *
 * Durations are differences of rounded times, so that rounding never adds up: after any number of segments a player's
 * clock is within half a microsecond of the decode time in the segment.
 */
export function writeMediaPlaylist(track: Representation): string {
  let number = 1;
  let ticks = 0;
  let start = 0n;
  let longest = 0n;
  const segments: string[] = [];
  for (const run of track.timeline) {
    for (let i = 0; i < run.count; i++) {
      ticks += run.ticks;
      const end = microseconds(ticks, track.timescale, "nearest");
      const duration = end - start;
      segments.push(`#EXTINF:${decimalSeconds(duration)},`, track.segmentTemplate.replace(NUMBER, `${number}`));
      if (duration > longest) longest = duration;
      start = end;
      number += 1;
    }
  }
  const lines = [
    "#EXTM3U",
    VERSION,
    `#EXT-X-TARGETDURATION:${targetDuration(longest)}`,
    "#EXT-X-MEDIA-SEQUENCE:1",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-MAP:URI=${quoted(track.initName)}`,
    ...segments,
    "#EXT-X-ENDLIST",
  ];
  return `${lines.join("\n")}\n`;
}

/** Each EXTINF, rounded to the nearest integer, must not exceed it (RFC 8216 §4.3.3.1). */
function targetDuration(longest: bigint): bigint {
  const rounded = (longest + 500_000n) / 1_000_000n;
  return rounded > 0n ? rounded : 1n;
}

function audioRendition(track: AudioRepresentation, audio: readonly AudioRepresentation[], inVariant: boolean): string {
  // Renditions a player may choose by itself should differ in language (RFC 8216 §4.3.4.1.1): of each language it is
  // the default, else the first.
  const rivals = audio.filter((other) => other.language === track.language);
  const automatic = track.default || (!rivals.some((other) => other.default) && rivals[0] === track);
  return tag("EXT-X-MEDIA", {
    TYPE: "AUDIO",
    "GROUP-ID": quoted(AUDIO_GROUP),
    NAME: quoted(track.label),
    LANGUAGE: track.language === null ? undefined : quoted(track.language),
    DEFAULT: track.default ? "YES" : "NO",
    AUTOSELECT: automatic ? "YES" : "NO",
    CHANNELS: quoted(`${track.channels}`),
    // Without a URI a rendition lies in the variant's own playlist (§4.3.4.2.1).
    URI: inVariant ? undefined : quoted(track.playlistName),
  });
}

function videoVariant(track: VideoRepresentation, audio: readonly AudioRepresentation[]): string[] {
  return [
    tag("EXT-X-STREAM-INF", {
      // The largest sums over any combination that can be played (§4.3.4.2).
      BANDWIDTH: track.bandwidth + Math.max(0, ...audio.map((rendition) => rendition.bandwidth)),
      "AVERAGE-BANDWIDTH":
        track.averageBandwidth + Math.max(0, ...audio.map((rendition) => rendition.averageBandwidth)),
      CODECS: quoted([...new Set([track.codec, ...audio.map((rendition) => rendition.codec)])].join(",")),
      RESOLUTION: `${track.width}x${track.height}`,
      "FRAME-RATE": (track.frameRate.num / track.frameRate.den).toFixed(3),
      AUDIO: audio.length > 0 ? quoted(AUDIO_GROUP) : undefined,
      // Without this shaka-player looks for captions in the first, the middle and the last segment before it starts.
      "CLOSED-CAPTIONS": "NONE",
    }),
    track.playlistName,
  ];
}

/** A title without video has one variant, its default rendition; the others replace it. */
function audioVariant(audio: readonly AudioRepresentation[]): string[] {
  const track = audio.find((rendition) => rendition.default);
  if (track === undefined) return [];
  return [
    tag("EXT-X-STREAM-INF", {
      BANDWIDTH: Math.max(...audio.map((rendition) => rendition.bandwidth)),
      "AVERAGE-BANDWIDTH": Math.max(...audio.map((rendition) => rendition.averageBandwidth)),
      CODECS: quoted([...new Set(audio.map((rendition) => rendition.codec))].join(",")),
      AUDIO: quoted(AUDIO_GROUP),
    }),
    track.playlistName,
  ];
}

function tag(name: string, attributes: Readonly<Record<string, string | number | undefined>>): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`);
  return `#${name}:${list.join(",")}`;
}

/** A quoted-string cannot hold quotes or line breaks, and has no escapes (RFC 8216 §4.2). */
function quoted(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return `"${text.replaceAll('"', "'").replace(/[\u0000-\u001f\u007f]+/g, " ")}"`;
}
