import type {
  AudioTrack,
  Colour,
  InspectedAudio,
  Inspection,
  PlanSettings,
  TrackId,
  VideoTrack,
} from "@gakuen/contracts";
import { AAC_LC_CODEC, avcHighCodec, h264Level } from "@gakuen/media";
import { AAC_PACKET, type FrameGrid, evenTimeline, packetBoundaries, timelineOf } from "./grid.ts";
import type { Rung } from "./ladder.ts";

/** fMP4 adds about 8 bytes per audio packet and 12 per video frame; a few per cent cover both. */
const CONTAINER_SHARE = 1.04;

export function videoTrack(rung: Rung, grid: FrameGrid, settings: PlanSettings): VideoTrack {
  const { frameRate, timescale, frameTicks } = grid;
  const level = h264Level({ ...rung, frameRate });
  const segmentSeconds = (grid.framesPerSegment * frameTicks) / timescale;
  return {
    kind: "video",
    id: `v${rung.name}` as TrackId,
    codec: avcHighCodec(level),
    timescale,
    sampleTicks: frameTicks,
    timeline: [...evenTimeline(grid.frames * frameTicks, grid.framesPerSegment * frameTicks)],
    // A full buffer on top of the steady rate is the most that a segment can hold.
    bandwidth: Math.ceil((rung.maxrate + rung.bufsize / segmentSeconds) * CONTAINER_SHARE),
    averageBandwidth: Math.ceil(rung.maxrate * 0.6 * CONTAINER_SHARE),
    width: rung.width,
    height: rung.height,
    frameRate,
    encoder: {
      name: "libx264",
      preset: settings.preset,
      crf: rung.crf,
      maxrate: rung.maxrate,
      bufsize: rung.bufsize,
      profile: "high",
      level,
      pixelFormat: "yuv420p",
    },
  };
}

/**
 * @param boundaries ends of the title's segments in ticks of `timescale`
 * @param number of the track among the title's audio tracks, from 1
 */
export function audioTrack(
  source: InspectedAudio,
  number: number,
  isDefault: boolean,
  boundaries: readonly number[],
  timescale: number,
): AudioTrack {
  // Both rates play everywhere; keeping the source's spares a resampling.
  const sampleRate = source.sampleRate === 44_100 ? 44_100 : 48_000;
  const channels = source.channels === 1 ? 1 : 2;
  const bitrate = channels === 1 ? 80_000 : 128_000;
  return {
    kind: "audio",
    id: `a${number}` as TrackId,
    codec: AAC_LC_CODEC,
    timescale: sampleRate,
    sampleTicks: AAC_PACKET,
    timeline: timelineOf(packetBoundaries(boundaries, timescale, sampleRate), AAC_PACKET),
    bandwidth: Math.ceil(bitrate * 1.15),
    averageBandwidth: Math.ceil(bitrate * CONTAINER_SHARE),
    language: source.language,
    label: source.label ?? (source.language === "und" ? `Audio ${number}` : source.language),
    default: isDefault,
    channels,
    stream: source.stream,
    encoder: { name: "aac", bitrate, sampleRate, channelLayout: channels === 1 ? "mono" : "stereo" },
  };
}

const BT709: Colour = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" };

/** What every player of H.264 shows as it is meant: HD's colours, and those of PAL and NTSC. */
const shownEverywhere = {
  primaries: ["bt709", "bt470bg", "smpte170m"],
  transfer: ["bt709", "smpte170m", "iec61966-2-1"],
  matrix: ["bt709", "bt470bg", "smpte170m"],
};

/** What the output's colours are: the source's as far as every player shows them, else BT.709; HDR is tone mapped. */
export function outputColour(inspection: Inspection): { toneMap: "smpte2084" | "arib-std-b67" | null; colour: Colour } {
  const source = inspection.video?.colour;
  if (!source) return { toneMap: null, colour: BT709 };
  const { primaries, transfer, matrix } = source;
  if (transfer === "smpte2084" || transfer === "arib-std-b67") return { toneMap: transfer, colour: BT709 };
  if (!shownEverywhere.primaries.includes(primaries) || !shownEverywhere.transfer.includes(transfer))
    return { toneMap: null, colour: BT709 };
  // RGB comes here too: its primaries and transfer stay, and so what it shows.
  const shown = shownEverywhere.matrix.includes(matrix) ? matrix : BT709.matrix;
  return { toneMap: null, colour: { primaries, transfer, matrix: shown, range: "tv" } };
}
