import type { Rational } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { avcHighCodec } from "./codec-string.ts";
import { readFragment, retimeFragment } from "./fragment.ts";
import { readInit } from "./init-segment.ts";
import { framesToTicks } from "./media-time.ts";
import { encode, probe, readWithMp4box } from "./test/real-track.ts";
import { collect } from "./test/synthetic-track.ts";

/** Frames [first, last) of a test picture on a grid of 24,000 ticks per second, as one chunk. */
function chunkArgs(rate: Rational, first: number, last: number, level: number): string {
  return [
    `-f lavfi -i testsrc2=size=320x180:rate=${rate.num}/${rate.den}:duration=10`,
    `-filter_complex [0:v:0]trim=start_pts=${first}:end_pts=${last},setpts=PTS-STARTPTS[v] -map [v] -vsync passthrough`,
    "-c:v libx264 -preset veryfast -crf 30 -maxrate 300k -bufsize 300k -g 48 -keyint_min 48 -sc_threshold 0",
    `-x264-params stitchable=1:open-gop=0 -profile:v high -level:v ${level / 10} -pix_fmt yuv420p -threads 1`,
    "-video_track_timescale 24000 -map_metadata -1 -map_chapters -1 -fflags +bitexact",
    "-movflags +cmaf+frag_keyframe+skip_trailer",
  ].join(" ");
}

describe("video chunks", () => {
  test("made separately join to one track without a gap, for ffmpeg and for mp4box", async () => {
    const rate = { num: 24_000, den: 1001 };
    const ticks = (frame: number): number => framesToTicks(frame, rate, 24_000);
    const chunks = [];
    for (const [first, last] of [
      [96, 200],
      [0, 96],
      [200, 240],
    ] as const) {
      const [init, ...fragments] = await collect(encode(chunkArgs(rate, first, last, 30)));
      if (init?.kind !== "init") throw new Error("no init segment");
      const info = readInit(init.bytes);
      let frame: number = first;
      for (const part of fragments) {
        const before = readFragment(part.bytes, info);
        expect(before).toMatchObject({
          samples: Math.min(48, last - frame),
          duration: ticks(before.samples),
          decodeTime: ticks(frame - first),
          startsWithSync: true,
          firstPresentationOffset: 0,
        });
        const to = { sequenceNumber: frame + 1, decodeTime: ticks(frame) };
        retimeFragment(part.bytes, to);
        expect(readFragment(part.bytes, info)).toEqual({ ...before, ...to });
        frame += before.samples;
      }
      expect(frame).toBe(last);
      chunks.push({ first, init, fragments });
    }
    chunks.sort((a, b) => a.first - b.first);
    const [head] = chunks;
    if (head === undefined) throw new Error("no chunk");
    for (const chunk of chunks) expect(chunk.init.bytes.equals(head.init.bytes)).toBe(true);
    const parts = [head.init, ...chunks.flatMap((chunk) => chunk.fragments)];

    const grid = Array.from({ length: 240 }, (_, frame) => ticks(frame));
    const { packets, streams } = await probe(parts);
    expect(streams).toEqual([{ nb_read_frames: "240" }]);
    expect(packets.map((packet) => packet.dts)).toEqual(grid);
    // Negative composition offsets in fragments make ffmpeg show everything later by the largest of them.
    const shown = packets.map((packet) => packet.pts).sort((a, b) => a - b);
    expect(shown.map((pts) => pts - (shown[0] ?? 0))).toEqual(grid);

    const { track, samples } = readWithMp4box(parts);
    expect(track).toMatchObject({ codec: avcHighCodec(30), timescale: 24_000, nb_samples: 240 });
    expect(samples.map((sample) => sample.dts)).toEqual(grid);
    expect(samples.map((sample) => sample.cts).sort((a, b) => a - b)).toEqual(grid);
  });

  test.each([12, 30, 31, 40, 42, 51])("level %d in the codec string is what x264 writes", async (level) => {
    const [init] = await collect(encode(chunkArgs({ num: 24, den: 1 }, 0, 2, level)));
    expect(readInit(init?.bytes ?? Buffer.alloc(0))).toMatchObject({
      kind: "video",
      codec: avcHighCodec(level),
      timescale: 24_000,
      width: 320,
      height: 180,
      hasEditList: false,
    });
  });

  test.each([
    "libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error",
    "libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error -pix_fmt yuv420p10le",
    "libsvtav1 -preset 12 -pix_fmt yuv420p10le",
  ])("%s: the codec string is the one that mp4box reads", async (encoder) => {
    const picture = "-f lavfi -i testsrc2=size=320x180:rate=24:duration=0.25";
    const parts = await collect(encode(`${picture} -c:v ${encoder} -movflags +cmaf+frag_keyframe+skip_trailer`));
    const { codec } = readInit(parts[0]?.bytes ?? Buffer.alloc(0));
    expect(codec.toLowerCase()).toBe(readWithMp4box(parts).track.codec.toLowerCase());
  });
});
