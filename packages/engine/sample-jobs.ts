import { ChunkId, EncodeJob, PlanId, type PublishJob, TitleId } from "@gakuen/contracts";

const plan = PlanId.parse("0123456789abcdef0123");
const colour = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" };

/** A publish job for tests. */
export const samplePublish = (title: string): PublishJob => ({ title: TitleId.parse(title), plan });

/** One chunk of that title, for tests. */
export const sampleEncode = (title: string, chunk: string): EncodeJob =>
  EncodeJob.parse({
    kind: "video",
    ref: { title, plan, chunk: ChunkId.parse(chunk) },
    source: { kind: "file", path: "/films/sample.mp4" },
    originMicroseconds: 0,
    grant: "grant",
    picture: {
      stream: 0,
      frameRate: { num: 24, den: 1 },
      frames: 96,
      framesPerSegment: 96,
      deinterlace: false,
      toneMap: null,
      sourceColour: colour,
      colour,
    },
    chunk: {
      kind: "video",
      id: chunk,
      tracks: ["v360"],
      firstSegment: 1,
      segments: 1,
      seek: { mode: "start" },
      startFrame: 0,
      endFrame: 96,
    },
    tracks: [
      {
        kind: "video",
        id: "v360",
        codec: "avc1.64001e",
        timescale: 24,
        sampleTicks: 1,
        timeline: [{ ticks: 96, count: 1 }],
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
    ],
  });
