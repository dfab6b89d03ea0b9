import { Inspection, Plan, type PlanId, planIdOf } from "@gakuen/contracts";

/** A small plan for tests: two chunks of two segments of one rung, and a track of sound in one chunk. */
export const samplePlan: Plan = Plan.parse({
  version: 1,
  fingerprint: "sha256:sample",
  duration: { ticks: 384, timescale: 24 },
  originMicroseconds: 0,
  picture: {
    stream: 0,
    frameRate: { num: 24, den: 1 },
    frames: 384,
    framesPerSegment: 96,
    deinterlace: false,
    toneMap: null,
    sourceColour: { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" },
    colour: { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" },
  },
  tracks: [
    {
      kind: "video",
      id: "v360",
      codec: "avc1.64001e",
      timescale: 24,
      sampleTicks: 1,
      timeline: [{ ticks: 96, count: 4 }],
      bandwidth: 800_000,
      averageBandwidth: 600_000,
      width: 640,
      height: 360,
      frameRate: { num: 24, den: 1 },
      encoder: {
        name: "libx264",
        preset: "veryfast",
        crf: 23,
        maxrate: 800_000,
        bufsize: 1_600_000,
        profile: "high",
        level: 30,
        pixelFormat: "yuv420p",
      },
    },
    {
      kind: "audio",
      id: "a1",
      codec: "mp4a.40.2",
      timescale: 48_000,
      sampleTicks: 1024,
      timeline: [{ ticks: 191_488, count: 4 }],
      bandwidth: 128_000,
      averageBandwidth: 128_000,
      language: "und",
      label: "Sound",
      default: true,
      channels: 2,
      stream: 1,
      encoder: { name: "aac", bitrate: 128_000, sampleRate: 48_000, channelLayout: "stereo" },
    },
  ],
  chunks: [0, 1]
    .map((index): object => ({
      kind: "video",
      id: `v${index}`,
      tracks: ["v360"],
      firstSegment: 1 + 2 * index,
      segments: 2,
      seek: { mode: "start" },
      startFrame: 192 * index,
      endFrame: 192 * (index + 1),
    }))
    .concat({
      kind: "audio",
      id: "a1-0",
      tracks: ["a1"],
      firstSegment: 1,
      segments: 4,
      seek: { mode: "start" },
      startPacket: 0,
      endPacket: 748,
      preroll: 0,
    }),
  decisions: [],
});

export const samplePlanId: PlanId = planIdOf(samplePlan);

export const sampleInspection: Inspection = Inspection.parse({
  fingerprint: "sha256:sample",
  bytes: 1_000_000,
  container: "mov,mp4,m4a,3gp,3g2,mj2",
  seekable: true,
  duration: 16,
  video: null,
  audio: [],
  warnings: [],
});
