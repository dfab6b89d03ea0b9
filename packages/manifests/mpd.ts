import { initName } from "@gakuen/contracts";
import type { TrackId } from "@gakuen/contracts";
import type { AudioRepresentation, Presentation, Representation, VideoRepresentation } from "./model.ts";
import { decimalSeconds, microseconds } from "./seconds.ts";
import { element } from "./xml.ts";

/**
 * The live profile (§8.4): SegmentTemplate, aligned segments that start with a SAP of type 1. The CMAF profile (§8.12)
 * on top: every set is a CMAF switching set of tracks with brand `cmfc`, one fragment per segment, one timescale. That
 * is a promise about the media, which the encoder keeps (`-movflags +cmaf`); nothing here can check it.
 */
const PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";

/**
 * A static MPD of the whole title with one Period (ISO/IEC 23009-1). Names are relative to the MPD, so a folder plays
 * wherever it lies. Segments are found by `$Number$`, audio by its own timeline.
 *
 * Starting with the low rung. An MPD has no word for "begin with this Representation": a player takes the highest rung
 * whose `bandwidth` is below its own first estimate, or the lowest of all. dash.js estimates 1 Mbit/s
 * (`abr.initialBitrate`), so a ladder with one rung below that starts there. shaka-player estimates 1 Mbit/s too
 * (`abr.defaultBandwidthEstimate`), but where the browser has the Network Information API it believes that instead,
 * which in Chromium says up to 10 Mbit/s: measured, it begins with the high rung unless its page sets
 * `abr.useNetworkInformation` to false. What we add: Representations stand lowest first, which is what a player without
 * an opinion takes, and `minBufferTime` is not longer than the first segment (see {@link minBufferTime}).
 */
export function writeMpd(presentation: Presentation): string {
  const { duration, video, audio, tracks } = presentation;
  const sets = [
    ...(video.length > 0 ? [(id: number) => videoSet(id, video)] : []),
    ...audio.map((track) => (id: number) => audioSet(id, track)),
  ];
  const mpd = element(
    "MPD",
    {
      xmlns: "urn:mpeg:dash:schema:mpd:2011",
      profiles: PROFILES,
      type: "static",
      // Rounded up: players drop frames that end after the presentation does (the append window of MSE).
      mediaPresentationDuration: xmlDuration(microseconds(duration.ticks, duration.timescale, "up")),
      maxSegmentDuration: xmlDuration(maxSegmentDuration(tracks)),
      minBufferTime: xmlDuration(minBufferTime(tracks)),
    },
    [
      element(
        "Period",
        { id: "0", start: "PT0S" },
        sets.map((set, i) => set(i)),
      ),
    ],
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${mpd}\n`;
}

function videoSet(id: number, tracks: readonly VideoRepresentation[]): string {
  const width = Math.max(...tracks.map((track) => track.width));
  const height = Math.max(...tracks.map((track) => track.height));
  const [largest] = tracks.toSorted((a, b) => b.width * b.height - a.width * a.height);
  return element(
    "AdaptationSet",
    {
      ...setAttributes(id, "video"),
      par: largest && ratio(largest.width, largest.height),
      maxWidth: width,
      maxHeight: height,
      // All rungs lie on one frame grid.
      maxFrameRate: largest && fraction(largest.frameRate),
    },
    [
      element("Role", { schemeIdUri: "urn:mpeg:dash:role:2011", value: "main" }),
      ...tracks.slice(0, 1).map(segmentTemplate),
      ...tracks.map((track) =>
        element("Representation", {
          id: track.id,
          codecs: track.codec,
          bandwidth: track.bandwidth,
          width: track.width,
          height: track.height,
          frameRate: fraction(track.frameRate),
          sar: "1:1",
        }),
      ),
    ],
  );
}

function audioSet(id: number, track: AudioRepresentation): string {
  return element("AdaptationSet", { ...setAttributes(id, "audio"), lang: track.language ?? undefined }, [
    ...(track.channelConfiguration === null
      ? []
      : [
          element("AudioChannelConfiguration", {
            schemeIdUri: "urn:mpeg:mpegB:cicp:ChannelConfiguration",
            value: track.channelConfiguration,
          }),
        ]),
    element("Label", {}, track.label),
    element("Role", { schemeIdUri: "urn:mpeg:dash:role:2011", value: track.default ? "main" : "alternate" }),
    segmentTemplate(track),
    element("Representation", {
      id: track.id,
      codecs: track.codec,
      bandwidth: track.bandwidth,
      audioSamplingRate: track.samplingRate,
    }),
  ]);
}

function setAttributes(id: number, kind: "video" | "audio") {
  return {
    id,
    contentType: kind,
    mimeType: `${kind}/mp4`,
    containerProfiles: "cmfc",
    segmentAlignment: "true",
    startWithSAP: 1,
  };
}

/** All Representations of a set share it: they are cut at the same times, and only their folder's name differs. */
function segmentTemplate(track: Representation): string {
  const folder = "$RepresentationID$";
  return element(
    "SegmentTemplate",
    {
      timescale: track.timescale,
      initialization: initName(folder as TrackId),
      media: track.segmentTemplate.replace(track.id, folder),
      startNumber: 1,
    },
    [
      element(
        "SegmentTimeline",
        {},
        track.timeline.map((run, i) =>
          element("S", {
            t: i === 0 ? 0 : undefined,
            d: run.ticks,
            // @r counts the repetitions, not the segments (§5.3.9.6).
            r: run.count > 1 ? run.count - 1 : undefined,
          }),
        ),
      ),
    ],
  );
}

/** No segment may be longer (§5.3.1.2), so it is rounded up. */
function maxSegmentDuration(tracks: readonly Representation[]): bigint {
  const longest = tracks.flatMap((track) =>
    track.timeline.map((run) => microseconds(run.ticks, track.timescale, "up")),
  );
  return longest.reduce((a, b) => (a > b ? a : b), 0n);
}

/**
 * The shortest first segment of any track. A player may start only when that much of every track is buffered: a longer time would make them wait for the second segment, which in a title that is still being encoded costs seconds (audio
 * segments are a few milliseconds shorter than video segments). It is long enough for §5.3.1.2: no segment holds more
 * bits than its duration at `bandwidth`, so a player that begins with one segment in hand does not starve.
 */
function minBufferTime(tracks: readonly Representation[]): bigint {
  const first = tracks.flatMap((track) =>
    track.timeline.slice(0, 1).map((run) => microseconds(run.ticks, track.timescale, "down")),
  );
  return first.reduce((a, b) => (a < b ? a : b), first[0] ?? 0n);
}

const xmlDuration = (micros: bigint): string => `PT${decimalSeconds(micros)}S`;

function fraction({ num, den }: { readonly num: number; readonly den: number }): string {
  return den === 1 ? `${num}` : `${num}/${den}`;
}

function ratio(width: number, height: number): string {
  const divisor = greatestCommonDivisor(width, height);
  return `${width / divisor}:${height / divisor}`;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
