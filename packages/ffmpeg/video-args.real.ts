import { describe, expect, test } from "vitest";
import type { EncodeJob, Rational, Seek, VideoTrack } from "@gakuen/contracts";
import { encodedFrameNumbers, type NumberedVideoRecipe, numberedVideo } from "../../test/fixtures/index.ts";
import { probe } from "./probe.ts";
import { scanPackets } from "./packet-scan.ts";

const tools = { ffmpeg: "ffmpeg", ffprobe: "ffprobe", version: "" };
const sdr = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" } as const;

interface Source {
  readonly path: string;
  /** Presentation times and keyframes in seconds from the container's start time. */
  readonly times: readonly number[];
  readonly keyframes: readonly number[];
}

async function indexed(path: string): Promise<Source> {
  const signal = AbortSignal.timeout(30_000);
  const address = { kind: "file", path } as const;
  const { streams, format } = await probe(address, tools, signal);
  const video = streams.find((stream) => stream.codec_type === "video");
  if (video?.time_base == null) throw new Error("the fixture has no video");
  const base = video.time_base;
  const scan = await scanPackets(address, video.index, { tools, signal });
  const seconds = (ticks: Float64Array) =>
    Array.from(ticks, (tick) => (tick * base.num) / base.den - (format.start_time ?? 0));
  return { path, times: seconds(scan.times), keyframes: seconds(scan.keyframes) };
}

function job(source: Source, rate: Rational, frames: number, span: readonly [number, number], seek: Seek): EncodeJob {
  const [startFrame, endFrame] = span;
  const track = {
    kind: "video",
    id: "v144",
    codec: "avc1.64000c",
    timescale: rate.num < 1000 ? rate.num * 1000 : rate.num,
    sampleTicks: rate.den,
    timeline: [{ ticks: 1, count: 1 }],
    bandwidth: 1,
    averageBandwidth: 1,
    width: 128,
    height: 72,
    frameRate: rate,
    encoder: {
      name: "libx264",
      preset: "ultrafast",
      crf: 23,
      maxrate: 500_000,
      bufsize: 1_000_000,
      profile: "high",
      level: 30,
      pixelFormat: "yuv420p",
    },
  } as unknown as VideoTrack;
  return {
    kind: "video",
    ref: { title: "title", plan: "0".repeat(20), chunk: "v1" },
    source: { kind: "file", path: source.path },
    originMicroseconds: Math.round((source.times[0] ?? 0) * 1e6),
    grant: "",
    picture: {
      stream: 0,
      frameRate: rate,
      frames,
      framesPerSegment: 24,
      deinterlace: false,
      toneMap: null,
      sourceColour: sdr,
      colour: sdr,
    },
    chunk: {
      kind: "video",
      id: "v1",
      tracks: ["v144"],
      firstSegment: 1,
      segments: 1,
      seek,
      startFrame,
      endFrame,
    },
    tracks: [track],
  } as unknown as EncodeJob;
}

/** The three ways to reach a chunk, as a planner computes them. */
function seeks(source: Source, start: number, variable: boolean): Seek[] {
  const origin = source.times[0] ?? 0;
  const before = Math.max(0, origin + start - (variable ? 2 : 1));
  const latest = origin + start - (variable ? 1 : 0.2);
  const keyframe = source.keyframes.findLast((time) => time <= latest);
  return [
    { mode: "start" },
    ...(before > 0 ? [{ mode: "before", seconds: before } as const] : []),
    ...(keyframe === undefined ? [] : [{ mode: "keyframe", seconds: keyframe + 0.14 } as const]),
  ];
}

const rates: readonly { name: string; rate: Rational; recipe: Partial<NumberedVideoRecipe> }[] = [
  { name: "23.976 mp4", rate: { num: 24000, den: 1001 }, recipe: { timescale: 24000 } },
  { name: "23.976 mp4 in 1/90000", rate: { num: 24000, den: 1001 }, recipe: { timescale: 90000 } },
  { name: "23.976 mkv", rate: { num: 24000, den: 1001 }, recipe: { container: "mkv" } },
  { name: "24 mp4 in 1/600", rate: { num: 24, den: 1 }, recipe: { timescale: 600, container: "mov" } },
  { name: "24 mkv, open groups", rate: { num: 24, den: 1 }, recipe: { container: "mkv", openGop: true } },
  { name: "25 mp4, open groups, one long", rate: { num: 25, den: 1 }, recipe: { openGop: true, gop: 120 } },
  { name: "29.97 mp4 in 1/90000", rate: { num: 30000, den: 1001 }, recipe: { timescale: 90000 } },
  { name: "29.97 mkv, HEVC", rate: { num: 30000, den: 1001 }, recipe: { container: "mkv", codec: "libx265" } },
  {
    name: "29.97 mp4, HEVC, open groups",
    rate: { num: 30000, den: 1001 },
    recipe: { codec: "libx265", openGop: true },
  },
  { name: "50 mp4", rate: { num: 50, den: 1 }, recipe: {} },
  { name: "59.94 mkv, long groups", rate: { num: 60000, den: 1001 }, recipe: { container: "mkv", gop: 300 } },
  { name: "60 mkv", rate: { num: 60, den: 1 }, recipe: { container: "mkv" } },
  { name: "60 mp4 late by 1.234 s", rate: { num: 60, den: 1 }, recipe: { startTime: 1.234 } },
  { name: "25 mkv late by 0.5 s", rate: { num: 25, den: 1 }, recipe: { startTime: 0.5, container: "mkv" } },
  {
    name: "25 mp4 late against its sound",
    rate: { num: 25, den: 1 },
    recipe: { startTime: 0.7, sound: { codec: "aac", sampleRate: 48_000, signal: "beeps", seconds: 8 } },
  },
  {
    name: "23.976 mkv late against its sound",
    rate: { num: 24000, den: 1001 },
    recipe: {
      startTime: 0.35,
      container: "mkv",
      sound: { codec: "aac", sampleRate: 48_000, signal: "beeps", seconds: 8 },
    },
  },
];

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe.concurrent("a chunk of a source of constant rate holds exactly its frames", () => {
  test.for(rates)("$name", async ({ rate, recipe }) => {
    const frames = 250;
    const source = await indexed(await numberedVideo({ rate: `${rate.num}/${rate.den}`, frames, ...recipe }));
    expect(source.times).toHaveLength(frames);
    const spans: readonly (readonly [number, number])[] = [
      [0, 24],
      [72, 120],
      [216, frames],
    ];
    for (const span of spans)
      for (const seek of seeks(source, (span[0] * rate.den) / rate.num, false))
        expect(
          await encodedFrameNumbers(job(source, rate, frames, span, seek)),
          `${seek.mode} ${span.join("-")}`,
        ).toEqual(numbers(span[0], span[1]));
  });
});

/** The frame that is on screen at each grid frame: the last one whose time, rounded to the grid, has come. */
function conformed(source: Source, rate: Rational, from: number, to: number): number[] {
  const origin = Math.round((source.times[0] ?? 0) * 1e6) / 1e6;
  const places = source.times.map((time) => Math.round(((time - origin) * rate.num) / rate.den));
  return numbers(from, to).map((frame) => places.findLastIndex((place) => place <= frame));
}

const variable: readonly { name: string; recipe: Partial<NumberedVideoRecipe> }[] = [
  { name: "mp4, three durations in turn", recipe: { times: "N/24+0.011*mod(N,3)" } },
  {
    name: "mkv, three durations in turn, open groups",
    recipe: { times: "N/24+0.011*mod(N,3)", container: "mkv", openGop: true },
  },
  { name: "mp4, a frame that stands for four seconds", recipe: { times: "N/25+4*gte(N,60)" } },
  { name: "mkv, a frame that stands for four seconds", recipe: { times: "N/25+4*gte(N,60)", container: "mkv" } },
];

describe.concurrent("a chunk of a source of variable rate holds what is on screen at its grid's times", () => {
  test.for(variable)("$name", async ({ recipe }) => {
    const rate = { num: 30, den: 1 };
    const source = await indexed(await numberedVideo({ rate: "24", frames: 150, ...recipe }));
    // Without the last frame's own time: the fixture's last frame lasts but a tick.
    const frames = Math.round(((source.times.at(-1) ?? 0) - (source.times[0] ?? 0)) * 30);
    const spans: readonly (readonly [number, number])[] = [
      [0, 30],
      [96, 144],
      [frames - 40, frames],
    ];
    for (const span of spans)
      for (const seek of seeks(source, span[0] / 30, true))
        expect(
          await encodedFrameNumbers(job(source, rate, frames, span, seek)),
          `${seek.mode} ${span.join("-")}`,
        ).toEqual(conformed(source, rate, ...span));
  });
});

describe.concurrent("the ends of a title", () => {
  const rate = { num: 25, den: 1 };

  test("a first frame that comes late is shown from the start", async () => {
    const source = await indexed(await numberedVideo({ rate: "25", frames: 50 }));
    const encode = { ...job(source, rate, 55, [0, 10], { mode: "start" }), originMicroseconds: -200_000 };
    expect(await encodedFrameNumbers(encode)).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
  });

  test("the last chunk is padded by two frames and no more, so a source that was cut off is noticed", async () => {
    const source = await indexed(await numberedVideo({ rate: "25", frames: 50 }));
    const twoShort = job(source, rate, 52, [40, 52], { mode: "before", seconds: 0.6 });
    expect(await encodedFrameNumbers(twoShort)).toEqual([...numbers(40, 50), 49, 49]);
    const tenShort = job(source, rate, 60, [40, 60], { mode: "before", seconds: 0.6 });
    expect(await encodedFrameNumbers(tenShort)).toHaveLength(12);
  });
});
