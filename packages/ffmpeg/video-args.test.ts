import type { EncodeJob, VideoTrack } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { videoArgs } from "./video-args.ts";

const bt709 = { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv" } as const;

function rung(width: number, height: number): VideoTrack {
  return {
    kind: "video",
    id: `v${height}`,
    codec: "avc1.64001f",
    timescale: 24_000,
    sampleTicks: 1001,
    timeline: [{ ticks: 96 * 1001, count: 4 }],
    bandwidth: 2_000_000,
    averageBandwidth: 1_000_000,
    width,
    height,
    frameRate: { num: 24_000, den: 1001 },
    encoder: {
      name: "libx264",
      preset: "veryfast",
      crf: 23,
      maxrate: 2_000_000,
      bufsize: 4_000_000,
      profile: "high",
      level: 31,
      pixelFormat: "yuv420p",
    },
  } as unknown as VideoTrack;
}

type VideoJob = Extract<EncodeJob, { kind: "video" }>;

function job(changes: { picture?: Partial<VideoJob["picture"]>; source?: VideoJob["source"] } = {}): VideoJob {
  return {
    kind: "video",
    ref: { title: "title", plan: "0".repeat(20), chunk: "v2" },
    source: changes.source ?? { kind: "file", path: "/films/a: b.mp4" },
    originMicroseconds: 21_333,
    grant: "",
    picture: {
      stream: 0,
      frameRate: { num: 24_000, den: 1001 },
      frames: 720,
      framesPerSegment: 96,
      deinterlace: false,
      toneMap: null,
      sourceColour: bt709,
      colour: bt709,
      ...changes.picture,
    },
    chunk: {
      kind: "video",
      id: "v2",
      tracks: ["v360", "v720"],
      firstSegment: 2,
      segments: 4,
      seek: { mode: "keyframe", seconds: 3.94 },
      startFrame: 96,
      endFrame: 480,
    },
    tracks: [rung(640, 360), rung(1280, 720)],
  } as unknown as VideoJob;
}

const after = (args: readonly string[], name: string): string => args[args.indexOf(name) + 1] ?? "";
const graph = (...changes: Parameters<typeof job>): string => after(videoArgs(job(...changes)), "-filter_complex");

describe("videoArgs", () => {
  test("says the whole command, each rung into a pipe of its own in the order of the tracks", () => {
    const perRung = (label: string, pipe: string): string[] =>
      [
        `-map [${label}] -an -sn -dn -fps_mode passthrough -c:v libx264 -preset veryfast -crf 23`,
        "-maxrate 2000000 -bufsize 4000000 -g 96 -keyint_min 96 -sc_threshold 0",
        "-x264-params stitchable=1:open-gop=0:8x8dct=1 -profile:v high -level:v 31 -pix_fmt yuv420p",
        "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
        "-threads 1 -video_track_timescale 24000 -map_metadata -1 -map_chapters -1 -fflags +bitexact",
        `-movflags +cmaf+frag_keyframe+skip_trailer -f mp4 -flush_packets 1 ${pipe}`,
      ].flatMap((line) => line.split(" "));
    const args = videoArgs(job());
    expect(args.slice(0, 9).join(" ")).toBe(
      "-hide_banner -nostdin -loglevel error -filter_complex_threads 1 -threads 1 -copyts",
    );
    const input = args.slice(args.indexOf("-noaccurate_seek"), args.indexOf("-filter_complex"));
    expect(input).toEqual(["-noaccurate_seek", "-ss", "3.940000", "-i", "file:/films/a: b.mp4"]);
    expect(args.slice(args.indexOf("-map"))).toEqual([...perRung("v0", "pipe:3"), ...perRung("v1", "pipe:4")]);
  });

  test("shifts to the title's zero exactly, cuts by grid frames and scales each rung from the next larger one", () => {
    const tags = "range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
    expect(graph()).toBe(
      "[0:0]settb=AVTB,setpts=PTS-(21333),fps=24000/1001:round=near:eof_action=pass," +
        "trim=start_pts=96:end_pts=480,setpts=PTS-(96)," +
        `setparams=${tags},scale=1280:720:flags=bicubic,format=yuv420p,setparams=field_mode=prog:${tags},setsar=1,` +
        "split=2[v1][c0];[c0]scale=640:360:flags=bicubic,setsar=1[v0]",
    );
  });

  test("pads at most two frames, and only in the last chunk", () => {
    expect(graph()).not.toContain("tpad");
    expect(graph({ picture: { frames: 480 } })).toContain("tpad=stop_mode=clone:stop=2,trim=");
  });

  test("lets a file open only files and an address only the network, and no playlist at all", () => {
    const file = videoArgs(job());
    expect(after(file, "-protocol_whitelist")).toBe("file");
    expect(file).not.toContain("-reconnect");
    const http = videoArgs(job({ source: { kind: "http", url: "https://example.com/a.mp4" } }));
    expect(after(http, "-protocol_whitelist")).toBe("http,https,tcp,tls");
    expect(after(http, "-reconnect")).toBe("1");
    for (const args of [file, http])
      for (const playlist of ["hls", "dash", "concat", "image2"])
        expect(after(args, "-format_whitelist").split(",")).not.toContain(playlist);
  });
});
