import { mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PipelineError } from "@gakuen/contracts";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ByteReader, type Mp4Index, readMp4Index } from "./mp4-index.ts";

const run = promisify(execFile);
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gakuen-index-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);

/** Writes a file of the test's folder; `args` is split at spaces. */
async function ffmpeg(args: string, name: string): Promise<void> {
  await run("ffmpeg", [..."-hide_banner -nostdin -loglevel error -y".split(" "), ...args.split(" "), name], {
    cwd: folder,
  });
}

interface Packet {
  readonly stream: number;
  readonly pts: number;
  readonly key: boolean;
}

/** The packets that ffmpeg's demuxer shows (not those it only decodes), by presentation time. */
async function packets(file: string): Promise<Packet[]> {
  const { stdout } = await run(
    "ffprobe",
    ["-v", "error", "-show_entries", "packet=stream_index,pts,flags", "-of", "json", file],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  const { packets } = JSON.parse(stdout) as { packets: { stream_index: number; pts: number; flags: string }[] };
  return packets
    .filter(({ flags }) => flags[1] !== "D")
    .map(({ stream_index, pts, flags }) => ({ stream: stream_index, pts, key: flags.startsWith("K") }))
    .sort((a, b) => a.pts - b.pts);
}

/** Reads a file and counts how much of it was read. */
async function indexOf(file: string): Promise<{ index: Mp4Index | null; bytesRead: number; size: number }> {
  await using handle = await open(file);
  const { size } = await handle.stat();
  let bytesRead = 0;
  const reader: ByteReader = {
    size,
    async read(offset, length) {
      const result = await handle.read(Buffer.alloc(length), 0, length, offset);
      bytesRead += result.bytesRead;
      return result.buffer.subarray(0, result.bytesRead);
    },
  };
  return { index: await readMp4Index(reader), bytesRead, size };
}

async function expectSameAsDemuxer(file: string): Promise<Mp4Index> {
  const { index, bytesRead, size } = await indexOf(file);
  if (index === null) throw new Error(`${file} has no index`);
  const expected = await packets(file);
  expect(expected.length).toBeGreaterThan(0);
  for (const track of index.tracks) {
    const own = expected.filter((packet) => packet.stream === track.stream);
    expect([...track.presentationTimes], `${file} stream ${track.stream}`).toEqual(own.map((packet) => packet.pts));
    expect([...track.keyframes]).toEqual(own.filter((packet) => packet.key).map((packet) => packet.pts));
  }
  expect(new Set(expected.map((packet) => packet.stream)).size).toBe(
    index.tracks.filter((track) => track.presentationTimes.length > 0).length,
  );
  expect(index.dataEnd).toBeLessThanOrEqual(size);
  expect(index.dataEnd).toBeGreaterThan(size / 2);
  expect(bytesRead).toBeLessThan(size);
  return index;
}

const picture = (rate: string, seconds = 3): string =>
  `-f lavfi -i testsrc2=size=160x90:rate=${rate}:duration=${seconds}`;
const sound = (seconds = 3): string => `-f lavfi -i sine=frequency=440:sample_rate=48000:duration=${seconds}`;
const x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 12 -bf 3";
const film = `${picture("25", 4)} ${sound(4)} ${x264} -c:a aac`;

/** Files as cameras, editors and encoders make them: name and ffmpeg arguments. */
const files: Readonly<Record<string, string>> = {
  "film-rate.mp4": `${picture("24000/1001")} ${sound()} ${x264} -c:a aac`,
  "moov-first.mp4": `${picture("30000/1001")} ${sound()} ${x264} -c:a aac -movflags +faststart`,
  "no-edit-list.mp4": `${picture("25")} ${sound()} ${x264} -c:a aac -use_editlist 0`,
  "negative-offsets.mp4": `${picture("25")} ${sound()} ${x264} -movflags +negative_cts_offsets`,
  "late-picture.mp4": `-itsoffset 0.7 ${picture("25")} ${sound()} ${x264} -c:a aac`,
  "late-sound.mp4": `${picture("25")} -itsoffset 0.33 ${sound()} ${x264} -c:a aac`,
  "variable.mp4": `${picture("30")} -vf select=not(mod(n\\,7))+gt(mod(n\\,5)\\,1) -vsync vfr ${x264}`,
  "open-gop.mp4": `${picture("25")} ${x264} -x264-params open-gop=1:b-pyramid=normal`,
  "hevc.mp4": `${picture("24", 2)} -c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=12 -tag:v hvc1`,
  "intra.mov": `${picture("25")} ${sound()} -c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le`,
  "timecode.mov": `${picture("25")} ${sound()} ${x264} -timecode 01:00:00:00 -c:a aac`,
  "mpeg2.mov": `${picture("25")} -c:v mpeg2video -bf 2 -g 12 -b:v 400k`,
  "audio-only.m4a": `${sound(5)} -c:a aac`,
  "two-sounds.mp4": `${picture("25")} ${sound(2)} ${sound(3)} -map 0 -map 1 -map 2 ${x264} -c:a aac`,
  "opus.mp4": `${picture("25")} ${sound()} ${x264} -c:a libopus`,
};

describe("the index of an MP4 says what ffmpeg's demuxer shows, without reading media", () => {
  for (const [name, args] of Object.entries(files)) {
    test(name, async () => {
      await ffmpeg(args, name);
      const index = await expectSameAsDemuxer(path(name));
      expect(index.tracks.every((track) => track.lastDuration > 0 || track.handler === "tmcd")).toBe(true);
    });
  }

  for (const start of ["0.37", "1.02", "1.5", "2.31"]) {
    test(`a file that was cut at ${start} s without encoding, so that its edit list hides the frames before`, async () => {
      await ffmpeg(film, "whole.mp4");
      await ffmpeg(`-ss ${start} -i whole.mp4 -t 1.2 -c copy`, `cut-${start}.mp4`);
      await expectSameAsDemuxer(path(`cut-${start}.mp4`));
    });
  }

  test("whatever cut the edit lists make, at either end", async () => {
    await ffmpeg(film, "edited.mp4");
    const original = await readFile(path("edited.mp4"));
    const cut = fc.record({
      mediaTime: fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.constantFrom(0, 512, 1024, 6144)),
      milliseconds: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom(40, 480, 4_000)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 2, maxLength: 2 }), async (cuts) => {
        const bytes = Buffer.from(original);
        let at = 0;
        for (const { mediaTime, milliseconds } of cuts) {
          at = bytes.indexOf("elst", at + 4);
          bytes.writeUInt32BE(milliseconds, at + 12);
          bytes.writeInt32BE(mediaTime, at + 16);
        }
        await writeFile(path("edited.mp4"), bytes);
        await expectSameAsDemuxer(path("edited.mp4"));
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});

describe("sources that cannot be indexed", () => {
  test("a fragmented file, a Matroska file and an image are left to a scan of the packets", async () => {
    await ffmpeg(`${picture("25", 1)} ${x264} -movflags +frag_keyframe+empty_moov`, "fragmented.mp4");
    await ffmpeg(`${picture("25", 1)} ${x264}`, "film.mkv");
    await ffmpeg(`${picture("25", 1)} -frames:v 1`, "image.png");
    for (const name of ["fragmented.mp4", "film.mkv", "image.png"])
      expect((await indexOf(path(name))).index).toBeNull();
  });

  test("a download that stopped before the index is named as such", async () => {
    await ffmpeg(`${picture("25", 1)} ${x264}`, "cut-short.mp4");
    await truncate(path("cut-short.mp4"), 9_000);
    const failure: unknown = await indexOf(path("cut-short.mp4")).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PipelineError);
    expect(failure).toMatchObject({ code: "source.truncated" });
  });

  test("a download that stopped after the index needs more bytes than it has", async () => {
    await ffmpeg(`${picture("25", 1)} ${x264} -movflags +faststart`, "half.mp4");
    const whole = await indexOf(path("half.mp4"));
    expect(whole.index?.dataEnd).toBe(whole.size);
    await truncate(path("half.mp4"), Math.floor(whole.size / 2));
    const half = await indexOf(path("half.mp4"));
    expect(half.index?.dataEnd).toBe(whole.size);
    expect(half.index?.tracks).toEqual(whole.index?.tracks);
  });
});
