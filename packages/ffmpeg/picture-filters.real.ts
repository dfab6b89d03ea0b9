import type { EncodeJob, Inspection, VideoTrack } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import * as fixtures from "../../test/fixtures/index.ts";
import { inspectSource } from "./inspect.ts";
import { probe } from "./probe.ts";
import { runProcess } from "./process.ts";

const tools = { ffmpeg: "ffmpeg", ffprobe: "ffprobe", version: "" };
const bt709 = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" } as const;
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

type VideoJob = Extract<EncodeJob, { kind: "video" }>;

const rung = (width: number, height: number): VideoTrack =>
  ({
    kind: "video",
    id: `v${height}`,
    codec: "",
    timescale: 25_000,
    sampleTicks: 1000,
    timeline: [],
    bandwidth: 1,
    averageBandwidth: 1,
    width,
    height,
    frameRate: { num: 25, den: 1 },
    encoder: {
      name: "libx264",
      preset: "ultrafast",
      crf: 20,
      maxrate: 2_000_000,
      bufsize: 2_000_000,
      profile: "high",
      level: 30,
      pixelFormat: "yuv420p",
    },
  }) as unknown as VideoTrack;

function job(
  path: string,
  source: Inspection,
  tracks: readonly VideoTrack[],
  span: readonly [number, number],
): VideoJob {
  const { video } = source;
  if (video === null) throw new Error("the fixture has no video");
  const hdr = video.colour.transfer === "smpte2084";
  return {
    kind: "video",
    ref: {},
    source: { kind: "file", path },
    grant: "",
    tracks,
    originMicroseconds: Math.round(video.start * 1e6),
    picture: {
      stream: video.stream,
      frameRate: video.frameRate,
      frames: video.frames,
      framesPerSegment: 24,
      deinterlace: video.interlacing === "interlaced",
      toneMap: hdr ? "smpte2084" : null,
      sourceColour: video.colour,
      colour: hdr ? bt709 : { ...video.colour, range: "tv" },
    },
    chunk: { seek: { mode: "start" }, startFrame: span[0], endFrame: span[1] },
  } as unknown as VideoJob;
}

/** What a player is told of the first rung, and how its pictures measure. */
async function encoded(path: string, tracks: readonly VideoTrack[], filter = "signalstats") {
  const source = await inspectSource({ kind: "file", path }, { tools, signal: signal() });
  const rungs = await fixtures.encodeChunk(job(path, source, tracks, [0, 48]));
  return Promise.all(
    rungs.map((bytes) =>
      fixtures.withFile(bytes, "track.mp4", async (file) => {
        const { streams } = await probe({ kind: "file", path: file }, tools, signal());
        const measure = ["-i", file, "-vf", `${filter},metadata=mode=print:file=-`, "-f", "null", "/dev/null"];
        const { stdout } = await runProcess("ffmpeg", ["-v", "error", ...measure], { signal: signal() });
        const frames = stdout.match(/^frame:/gm)?.length ?? 0;
        const numbers = (key: string): number[] =>
          Array.from(stdout.matchAll(new RegExp(`${key}=([\\d.]+)`, "g")), (match) => Number(match[1]));
        return { stream: streams[0], frames, numbers };
      }),
    ),
  );
}

describe("the picture of a rung", () => {
  test("comes in every size from one decode, square, 4:2:0 and tagged", async () => {
    const rungs = await encoded(await fixtures.anamorphic(), [rung(512, 288), rung(1024, 576), rung(256, 144)]);
    expect(rungs.map(({ stream }) => [stream?.width, stream?.height])).toEqual([
      [512, 288],
      [1024, 576],
      [256, 144],
    ]);
    for (const { stream, frames } of rungs) {
      expect(frames).toBe(48);
      expect(stream).toMatchObject({ pix_fmt: "yuv420p", color_space: "bt470bg", color_range: "tv" });
      expect(stream?.sample_aspect_ratio ?? { num: 1, den: 1 }).toEqual({ num: 1, den: 1 });
    }
  });

  test("of a turned source stands upright", async () => {
    const [first] = await encoded(await fixtures.rotated(90), [rung(144, 256)]);
    expect(first?.stream).toMatchObject({ width: 144, height: 256, side_data_list: [] });
  });

  test("of HDR becomes SDR that says so and uses its range", async () => {
    const [first] = await encoded(await fixtures.hdr10(), [rung(256, 144)]);
    expect(first?.stream).toMatchObject({ color_transfer: "bt709", color_primaries: "bt709", color_space: "bt709" });
    expect(first?.frames).toBe(48);
    expect(Math.max(...(first?.numbers("signalstats.YMAX") ?? []))).toBeGreaterThan(150);
    expect(Math.min(...(first?.numbers("signalstats.YMIN") ?? []))).toBeLessThan(40);
  });

  test("of an interlaced source has no combs left, one frame per frame", async () => {
    const [first] = await encoded(await fixtures.interlaced(), [rung(320, 240)], "idet");
    expect(first?.frames).toBe(48);
    const last = (key: string): number => first?.numbers(key).at(-1) ?? 0;
    const combed = last("idet.multiple.tff") + last("idet.multiple.bff");
    expect(combed).toBeLessThan(last("idet.multiple.progressive") / 4);
  });

  test("of odd sizes in 4:4:4 becomes even in 4:2:0", async () => {
    const [first] = await encoded(await fixtures.oddSize(), [rung(320, 180)]);
    expect(first?.stream).toMatchObject({ width: 320, height: 180, pix_fmt: "yuv420p" });
  });

  test("has the same init segment in every chunk", async () => {
    const path = await fixtures.filmWithBeeps();
    const source = await inspectSource({ kind: "file", path }, { tools, signal: signal() });
    const heads = await Promise.all(
      (
        [
          [0, 24],
          [120, 168],
          [226, 250],
        ] as const
      ).map(async (span) => {
        const [track = Buffer.alloc(0)] = await fixtures.encodeChunk(job(path, source, [rung(256, 144)], span));
        return track.subarray(0, track.indexOf("moof") - 4).toString("hex");
      }),
    );
    expect(heads[0]?.length).toBeGreaterThan(1000);
    expect(new Set(heads).size).toBe(1);
  });
});
