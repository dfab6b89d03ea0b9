import { EncodeJob, type PlanId, planIdOf } from "@gakuen/contracts";
import { audioArgs, videoArgs } from "@gakuen/ffmpeg";

/**
 * Encode jobs with the command lines that follow from them: one for each rule of the derivation, so that whoever writes
 * an encoder in another language can compare.
 */
export function exampleArguments(): { about: string; job: EncodeJob; only?: number[]; arguments: readonly string[] }[] {
  return examples.map(({ about, job, only, decoderThreads }) => {
    const parsed = EncodeJob.parse(job);
    const shared = { ...(only && { only }), ...(decoderThreads && { decoderThreads }) };
    return {
      about,
      job: parsed,
      ...shared,
      arguments: parsed.kind === "video" ? videoArgs(parsed, shared) : audioArgs(parsed),
    };
  });
}

interface Example {
  readonly about: string;
  readonly job: object;
  readonly only?: number[];
  readonly decoderThreads?: number;
}

const bt709 = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" };
const plan: PlanId = planIdOf("an example");
const film = { kind: "file", path: "/srv/films/a: b.mkv" };
const address = { kind: "http", url: "https://example.org/films/film.mp4" };

function rung(height: number, width: number): object {
  return {
    kind: "video",
    id: `v${height}`,
    codec: height > 400 ? "avc1.64001f" : "avc1.64001e",
    timescale: 24_000,
    sampleTicks: 1001,
    timeline: [{ ticks: 96_096, count: 3 }],
    bandwidth: 2_000_000,
    averageBandwidth: 1_000_000,
    width,
    height,
    frameRate: { num: 24_000, den: 1001 },
    encoder: {
      name: "libx264",
      preset: "veryfast",
      crf: height > 400 ? 23 : 24.5,
      maxrate: 2_000_000,
      bufsize: 4_000_000,
      profile: "high",
      level: height > 400 ? 31 : 30,
      pixelFormat: "yuv420p",
    },
  };
}

const picture = {
  stream: 0,
  frameRate: { num: 24_000, den: 1001 },
  frames: 720,
  framesPerSegment: 96,
  deinterlace: false,
  toneMap: null,
  sourceColour: bt709,
  colour: bt709,
};

const middle = {
  kind: "video",
  id: "v2",
  tracks: ["v720", "v360"],
  firstSegment: 2,
  segments: 3,
  seek: { mode: "keyframe", seconds: 3.94 },
  startFrame: 96,
  endFrame: 384,
};

function video(changes: { picture?: object; chunk?: object; [name: string]: unknown } = {}): object {
  return {
    kind: "video",
    ref: { title: "a-film-x7k2mn", plan, chunk: "v2" },
    source: film,
    originMicroseconds: 21_333,
    grant: "a signed grant",
    tracks: [rung(720, 1280), rung(360, 640)],
    ...changes,
    picture: { ...picture, ...changes.picture },
    chunk: { ...middle, ...changes.chunk },
  };
}

function sound(chunk: object, encoder: object = {}, more: object = {}): object {
  return {
    kind: "audio",
    ref: { title: "a-film-x7k2mn", plan, chunk: "a1-1" },
    source: address,
    originMicroseconds: 21_333,
    grant: "a signed grant",
    chunk: { kind: "audio", id: "a1-1", tracks: ["a1"], firstSegment: 31, segments: 2, ...chunk },
    tracks: [
      {
        kind: "audio",
        id: "a1",
        codec: "mp4a.40.2",
        timescale: 48_000,
        sampleTicks: 1024,
        timeline: [
          { ticks: 192_512, count: 1 },
          { ticks: 191_488, count: 1 },
        ],
        bandwidth: 140_000,
        averageBandwidth: 131_000,
        language: "en",
        label: "English",
        default: true,
        channels: 2,
        stream: 1,
        encoder: { name: "aac", bitrate: 128_000, sampleRate: 48_000, channelLayout: "stereo", ...encoder },
      },
    ],
    ...more,
  };
}

const hdr = { primaries: "bt2020", transfer: "smpte2084", matrix: "bt2020nc", range: "tv" };
const pal = { primaries: "bt470bg", transfer: "bt470bg", matrix: "bt470bg", range: "tv" };

const examples: readonly Example[] = [
  { about: "video in the middle of a title, beginning at a key frame of the source", job: video() },
  {
    about: "video from the start: no seek, and the first frame is shown from time zero",
    job: video({ chunk: { seek: { mode: "start" }, firstSegment: 1, segments: 1, startFrame: 0, endFrame: 96 } }),
  },
  {
    about: "the last chunk: at most two frames are repeated at the end",
    job: video({ picture: { frames: 384 }, chunk: { seek: { mode: "before", seconds: 3.0043 } } }),
  },
  { about: "a source behind an address: reconnects, only network protocols", job: video({ source: address }) },
  { about: "the title begins with the source: nothing is shifted", job: video({ originMicroseconds: 0 }) },
  { about: "interlaced", job: video({ picture: { deinterlace: true } }) },
  {
    about: "HDR, tone mapped at the output's size",
    job: video({ picture: { toneMap: "smpte2084", sourceColour: hdr } }),
  },
  { about: "other primaries, converted by zscale", job: video({ picture: { sourceColour: pal } }) },
  {
    about: "another matrix only, converted by zscale",
    job: video({ picture: { sourceColour: { ...bt709, matrix: "gbr", range: "pc" } } }),
  },
  {
    about: "another range only, converted while scaling",
    job: video({ picture: { sourceColour: { ...bt709, range: "pc" } } }),
  },
  {
    about: "the lowest rung alone, because a viewer waits: the graph stays whole, the other output is thrown away",
    job: video(),
    only: [1],
    decoderThreads: 2,
  },
  {
    about: "sound from the start",
    job: sound({ seek: { mode: "start" }, firstSegment: 1, startPacket: 0, endPacket: 375, preroll: 0 }),
  },
  {
    about: "sound in the middle: preroll, and a count of samples that begins at a whole second",
    job: sound({ seek: { mode: "before", seconds: 117.873 }, startPacket: 5625, endPacket: 6000, preroll: 8 }),
  },
  {
    about: "sound to the end of its source, which lacks some of the last packets",
    job: sound({
      seek: { mode: "before", seconds: 117.873 },
      startPacket: 5625,
      endPacket: 6000,
      preroll: 8,
      padding: 700,
    }),
  },
  {
    about: "sound at 44.1 kHz in six channels, from a file",
    job: sound(
      { seek: { mode: "before", seconds: 117.9 }, startPacket: 5168, endPacket: 5543, preroll: 8 },
      { sampleRate: 44_100, channelLayout: "5.1", bitrate: 384_000 },
      { source: film, originMicroseconds: -500_000 },
    ),
  },
];
