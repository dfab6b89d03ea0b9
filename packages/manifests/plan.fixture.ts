import { AudioTrack, Plan, VideoTrack } from "@gakuen/contracts";

/**
 * One minute and one frame at 23.976 fps: 15 segments of 96 frames and one of a single frame.
 * English by default, Japanese with six channels.
 */
const FRAMES = 1441;
const FRAME_TICKS = 1001;
const FRAME_RATE = { num: 24_000, den: 1001 };

function rung(width: number, height: number, bandwidth: number, level: number, codec: string): VideoTrack {
  return VideoTrack.parse({
    kind: "video",
    id: `v${height}`,
    codec,
    timescale: 24_000,
    sampleTicks: FRAME_TICKS,
    timeline: [
      { ticks: 96 * FRAME_TICKS, count: 15 },
      { ticks: FRAME_TICKS, count: 1 },
    ],
    bandwidth,
    averageBandwidth: Math.round(bandwidth * 0.7),
    width,
    height,
    frameRate: FRAME_RATE,
    encoder: {
      name: "libx264",
      preset: "veryfast",
      crf: 23,
      maxrate: bandwidth,
      bufsize: bandwidth,
      profile: "high",
      level,
      pixelFormat: "yuv420p",
    },
  });
}

/** 2818 packets of 1024 samples are 60.117 s, the first length that covers 1441 frames. */
const AUDIO_TIMELINE = [
  { ticks: 187 * 1024, count: 1 },
  { ticks: 188 * 1024, count: 13 },
  { ticks: 187 * 1024, count: 1 },
];

function sound(id: string, language: string, label: string, channels: 2 | 6, isDefault: boolean): AudioTrack {
  const bitrate = channels * 64_000;
  return AudioTrack.parse({
    kind: "audio",
    id,
    codec: "mp4a.40.2",
    timescale: 48_000,
    sampleTicks: 1024,
    timeline: AUDIO_TIMELINE,
    bandwidth: Math.round(bitrate * 1.1),
    averageBandwidth: bitrate,
    language,
    label,
    default: isDefault,
    channels,
    stream: 1,
    encoder: { name: "aac", bitrate, sampleRate: 48_000, channelLayout: channels === 2 ? "stereo" : "5.1" },
  });
}

export const videoTracks = [
  // Highest first, as a planner may well list them.
  rung(1280, 720, 2_500_000, 31, "avc1.64001F"),
  rung(640, 360, 800_000, 30, "avc1.64001E"),
];
export const audioTracks = [sound("a1", "en", "English", 2, true), sound("a2", "ja", "日本語", 6, false)];

export function planOf(tracks: readonly (VideoTrack | AudioTrack)[]): Plan {
  return Plan.parse({
    version: 1,
    fingerprint: "sha256:0",
    duration: { ticks: FRAMES * FRAME_TICKS, timescale: 24_000 },
    originMicroseconds: 0,
    picture: null,
    tracks,
    chunks: [
      {
        kind: "audio",
        id: "a1-0",
        tracks: ["a1"],
        firstSegment: 1,
        segments: 15,
        seek: { mode: "start" },
        startPacket: 0,
        endPacket: 2818,
        preroll: 0,
      },
    ],
    decisions: [],
  });
}

export const plan: Plan = planOf([...videoTracks, ...audioTracks]);

/** A track that differs from another in what is given. */
export function altered<T extends VideoTrack | AudioTrack>(track: T, changes: Partial<T>): T {
  return { ...track, ...changes };
}
