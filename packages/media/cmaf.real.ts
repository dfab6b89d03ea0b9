import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFile, MP4BoxBuffer } from "mp4box";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repackAudio } from "./audio-repack.ts";
import { type CmafPart, splitCmaf } from "./cmaf-splitter.ts";
import { AAC_LC_CODEC, avcHighCodec } from "./codec-string.ts";
import { readFragment, retimeFragment } from "./fragment.ts";
import { readInit } from "./init-segment.ts";
import { framesToTicks } from "./media-time.ts";
import { collect, inPieces } from "./synthetic-track.ts";

const run = promisify(execFile);
const limits = { maxPartBytes: 64 * 1024 * 1024 };
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gakuen-cmaf-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The parts that ffmpeg writes to its standard output, split while it runs. */
async function* encode(...args: readonly string[]): AsyncGenerator<CmafPart> {
  const child = spawn(
    "ffmpeg",
    ["-hide_banner", "-nostdin", "-loglevel", "error", ...args, "-f", "mp4", "-flush_packets", "1", "pipe:1"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exit = once(child, "exit");
  yield* splitCmaf(child.stdout, limits);
  expect(await exit).toEqual([0, null]);
}

interface Rate {
  readonly num: number;
  readonly den: number;
}

/** Frames [first, last) of a test picture on the grid of `rate`, as one chunk. */
const videoChunk = (rate: Rate, timescale: number, first: number, last: number, ...more: string[]): string[] => [
  "-f",
  "lavfi",
  "-i",
  `testsrc2=size=320x180:rate=${rate.num}/${rate.den}:duration=10`,
  "-filter_complex",
  `[0:v:0]trim=start_pts=${first}:end_pts=${last},setpts=PTS-STARTPTS[v]`,
  "-map",
  "[v]",
  "-vsync",
  "passthrough",
  "-c:v",
  "libx264",
  "-preset",
  "veryfast",
  "-crf",
  "30",
  "-g",
  "48",
  "-keyint_min",
  "48",
  "-sc_threshold",
  "0",
  "-x264-params",
  "stitchable=1:open-gop=0",
  "-profile:v",
  "high",
  "-level:v",
  "3.0",
  "-pix_fmt",
  "yuv420p",
  "-threads",
  "1",
  "-video_track_timescale",
  `${timescale}`,
  "-map_metadata",
  "-1",
  "-map_chapters",
  "-1",
  "-fflags",
  "+bitexact",
  "-movflags",
  "+cmaf+frag_keyframe+skip_trailer",
  ...more,
];

/** `samples` of a tone, as MEDIA of one audio track without lag. */
const audioTrack = (samples: number, fragmentMicroseconds: number): string[] => [
  "-f",
  "lavfi",
  "-i",
  "sine=frequency=440:sample_rate=44100:duration=12",
  "-map",
  "0:a:0",
  "-vn",
  "-sn",
  "-dn",
  "-af",
  `aresample=48000:async=1:first_pts=0,apad=whole_len=${samples},atrim=start_sample=1024:end_sample=${samples},asetpts=PTS-STARTPTS`,
  "-c:a",
  "aac",
  "-b:a",
  "96k",
  "-ac",
  "2",
  "-frag_duration",
  `${fragmentMicroseconds}`,
  "-map_metadata",
  "-1",
  "-fflags",
  "+bitexact",
  "-movflags",
  "+cmaf+skip_trailer",
];

async function save(name: string, parts: readonly CmafPart[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, Buffer.concat(parts.map((part) => part.bytes)));
  return path;
}

interface Probed {
  readonly packets: readonly {
    readonly pts: number;
    readonly dts: number;
    readonly flags: string;
    readonly data_hash: string;
  }[];
  readonly streams: readonly { readonly nb_read_frames: string }[];
}

/** Packets and decoded frames as ffprobe sees them. */
async function probe(path: string): Promise<Probed> {
  const { stdout, stderr } = await run(
    "ffprobe",
    [
      "-v",
      "warning",
      "-count_frames",
      "-show_data_hash",
      "sha256",
      "-show_entries",
      "packet=pts,dts,flags,data_hash:stream=nb_read_frames",
      "-of",
      "json",
      path,
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Probed;
}

/** What mp4box, an implementation of its own, reads from a file. */
function mp4box(parts: readonly CmafPart[]) {
  const bytes = Buffer.concat(parts.map((part) => part.bytes));
  const file = createFile();
  const errors: unknown[] = [];
  file.onError = (...args) => errors.push(args);
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
  file.flush();
  expect(errors).toEqual([]);
  const info = file.getInfo();
  return { info, samples: file.getTrackSamplesInfo(info.tracks[0]?.id ?? 0), moofs: file.moofs };
}

describe("video chunks", () => {
  const rate = { num: 24_000, den: 1001 };
  const timescale = 24_000;

  test("made separately join to one track without a gap, for ffmpeg and for mp4box", async () => {
    const spans = [
      [96, 200],
      [0, 96],
      [200, 240],
    ] as const;
    const chunks = await Promise.all(
      spans.map(async ([first, last]) => {
        const [init, ...fragments] = await collect(encode(...videoChunk(rate, timescale, first, last)));
        if (init?.kind !== "init") throw new Error("no init segment");
        const info = readInit(init.bytes);
        let frame: number = first;
        for (const part of fragments) {
          const before = readFragment(part.bytes, info);
          expect(before).toMatchObject({
            samples: Math.min(48, last - frame),
            duration: before.samples * rate.den,
            decodeTime: framesToTicks(frame - first, rate, timescale),
            startsWithSync: true,
            firstPresentationOffset: 0,
          });
          const to = { sequenceNumber: frame + 1, decodeTime: framesToTicks(frame, rate, timescale) };
          retimeFragment(part.bytes, to);
          expect(readFragment(part.bytes, info)).toEqual({ ...before, ...to });
          frame += before.samples;
        }
        expect(frame).toBe(last);
        return { first, init, fragments };
      }),
    );
    chunks.sort((a, b) => a.first - b.first);
    const [head] = chunks;
    if (head === undefined) throw new Error("no chunk");
    for (const chunk of chunks) expect(chunk.init.bytes.equals(head.init.bytes)).toBe(true);
    const parts = [head.init, ...chunks.flatMap((chunk) => chunk.fragments)];

    const { packets, streams } = await probe(await save("video.mp4", parts));
    expect(streams).toEqual([{ nb_read_frames: "240" }]);
    const grid = Array.from({ length: 240 }, (_, frame) => frame * rate.den);
    const shown = packets.map((packet) => packet.pts).sort((a, b) => a - b);
    // Negative composition offsets in fragments make ffmpeg show everything later by the largest of them.
    expect(shown.map((pts) => pts - (shown[0] ?? 0))).toEqual(grid);
    expect(packets.map((packet) => packet.dts)).toEqual(grid);

    const boxes = mp4box(parts);
    expect(boxes.info.tracks[0]).toMatchObject({ codec: avcHighCodec(30), timescale, nb_samples: 240 });
    expect(boxes.samples.map((sample) => sample.dts)).toEqual(grid);
    expect(boxes.samples.map((sample) => sample.cts).sort((a, b) => a - b)).toEqual(grid);
  });

  test.each([12, 30, 31, 40, 42, 51])("level %d in the codec string is what x264 writes", async (level) => {
    const [init] = await collect(
      encode(
        ...videoChunk(
          { num: 24, den: 1 },
          24_000,
          0,
          2,
          "-level:v",
          `${level / 10}`,
          "-maxrate",
          "300k",
          "-bufsize",
          "300k",
        ),
      ),
    );
    if (init === undefined) throw new Error("no init segment");
    expect(readInit(init.bytes)).toMatchObject({
      kind: "video",
      codec: avcHighCodec(level),
      timescale: 24_000,
      width: 320,
      height: 180,
      hasEditList: false,
    });
  });

  test("HEVC and AV1 name their codecs as mp4box does", async () => {
    const picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=0.25"];
    for (const encoder of [
      ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "log-level=error"],
      [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-tag:v",
        "hvc1",
        "-pix_fmt",
        "yuv420p10le",
        "-x265-params",
        "log-level=error",
      ],
      ["-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p10le"],
    ]) {
      const parts = await collect(encode(...picture, ...encoder, "-movflags", "+cmaf+frag_keyframe+skip_trailer"));
      const [init] = parts;
      if (init === undefined) throw new Error("no init segment");
      expect(readInit(init.bytes).codec.toLowerCase()).toBe(mp4box(parts).info.tracks[0]?.codec.toLowerCase());
    }
  });
});

describe("audio", () => {
  const seconds = 10;
  const packetsWanted = Math.floor((seconds * 48_000) / 1024);

  test("comes out of ffmpeg with defaults in tfhd, none in trex", async () => {
    const [init, first] = await collect(encode(...audioTrack(seconds * 48_000, 4_000_000)));
    if (init === undefined || first === undefined) throw new Error("no audio");
    const info = readInit(init.bytes);
    expect(info).toMatchObject({
      kind: "audio",
      codec: AAC_LC_CODEC,
      timescale: 48_000,
      channels: 2,
      sampleRate: 48_000,
    });
    expect(info).toMatchObject({
      defaultSampleDuration: 0,
      defaultSampleSize: 0,
      defaultSampleFlags: 0,
      hasEditList: false,
    });
    const { decodeTime, duration, samples, startsWithSync } = readFragment(first.bytes, info);
    expect({ decodeTime, duration, startsWithSync }).toEqual({
      decodeTime: 0,
      duration: samples * 1024,
      startsWithSync: true,
    });
  });

  test.each([200_000, 4_000_000])(
    "in fragments of %d us is cut into the planned segments, packet by packet the same",
    async (microseconds) => {
      const original = await collect(encode(...audioTrack(seconds * 48_000, microseconds)));
      const skip = 4;
      const counts = [94, 188, 100];
      const start = 2 ** 33;
      let at = start;
      const segments = counts.map((packets, i) => {
        const segment = { number: 3 + i, start: at, packets };
        at += packets * 1024;
        return segment;
      });
      async function* again(): AsyncGenerator<CmafPart> {
        for await (const part of splitCmaf(
          inPieces(Buffer.concat(original.map(({ bytes }) => bytes)), [1, 4_000, 77]),
          limits,
        ))
          yield part;
      }
      const parts = await collect(repackAudio(again(), { skip, segments, packetTicks: 1024 }));
      expect(parts).toHaveLength(1 + counts.length);

      const before = await probe(await save(`original-${microseconds}.mp4`, original));
      const after = await probe(await save(`repacked-${microseconds}.mp4`, parts));
      const total = counts.reduce((sum, count) => sum + count, 0);
      expect(before.packets.length).toBeGreaterThanOrEqual(packetsWanted);
      expect(after.packets.map((packet) => packet.data_hash)).toEqual(
        before.packets.slice(skip, skip + total).map((packet) => packet.data_hash),
      );
      expect(after.packets.map((packet) => packet.pts)).toEqual(
        Array.from({ length: total }, (_, i) => start + i * 1024),
      );
      expect(after.streams).toEqual([{ nb_read_frames: `${total}` }]);

      const boxes = mp4box(parts);
      expect(boxes.info.tracks[0]).toMatchObject({ codec: AAC_LC_CODEC, nb_samples: total });
      expect(boxes.samples.every((sample) => sample.is_sync && sample.duration === 1024)).toBe(true);
      expect(boxes.samples.map((sample) => sample.dts)).toEqual(
        Array.from({ length: total }, (_, i) => start + i * 1024),
      );
    },
  );

  test("Opus is read and cut like AAC", async () => {
    const source = encode(
      "-f",
      "lavfi",
      "-i",
      "sine=sample_rate=48000:duration=3",
      "-c:a",
      "libopus",
      "-frag_duration",
      "500000",
      "-movflags",
      "+cmaf+skip_trailer",
      "-strict",
      "-2",
    );
    const segments = [
      { number: 1, start: 0, packets: 100 },
      { number: 2, start: 96_000, packets: 50 },
    ];
    const parts = await collect(repackAudio(source, { skip: 0, segments, packetTicks: 960 }));
    expect(readInit(parts[0]?.bytes ?? Buffer.alloc(0))).toMatchObject({
      codec: "Opus",
      timescale: 48_000,
      channels: 1,
    });
    expect((await probe(await save("opus.mp4", parts))).streams).toEqual([{ nb_read_frames: "150" }]);
  });
});
