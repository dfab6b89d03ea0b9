import { describe, expect, test } from "vitest";
import { repackAudio } from "./audio-repack.ts";
import { splitCmaf } from "./cmaf-splitter.ts";
import { AAC_LC_CODEC } from "./codec-string.ts";
import { readFragment } from "./fragment.ts";
import { readInit } from "./init-segment.ts";
import { encode, joined, probe, readWithMp4box } from "./test/real-track.ts";
import { collect, inPieces } from "./test/synthetic-track.ts";

const SAMPLES = 480_000;

/** Ten seconds of a tone without lag, in fragments of about that length. */
function audioArgs(fragmentMicroseconds: number): string {
  return [
    "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=12 -map 0:a:0 -vn -sn -dn",
    `-af aresample=48000:async=1:first_pts=0,apad=whole_len=${SAMPLES},atrim=start_sample=1024:end_sample=${SAMPLES},asetpts=PTS-STARTPTS`,
    `-c:a aac -b:a 96k -ac 2 -frag_duration ${fragmentMicroseconds}`,
    "-map_metadata -1 -fflags +bitexact -movflags +cmaf+skip_trailer",
  ].join(" ");
}

describe("audio", () => {
  test("comes out of ffmpeg with defaults in tfhd, none in trex", async () => {
    const [init, first] = await collect(encode(audioArgs(4_000_000)));
    if (init === undefined || first === undefined) throw new Error("no audio");
    const info = readInit(init.bytes);
    expect(info).toMatchObject({
      kind: "audio",
      codec: AAC_LC_CODEC,
      timescale: 48_000,
      channels: 2,
      sampleRate: 48_000,
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
      const original = await collect(encode(audioArgs(microseconds)));
      const skip = 4;
      const start = 2 ** 33;
      const segments = [
        { number: 3, start, packets: 94 },
        { number: 4, start: start + 94 * 1024, packets: 188 },
        { number: 5, start: start + 282 * 1024, packets: 100 },
      ];
      const arriving = splitCmaf(inPieces(joined(original), [1, 4_000, 77]), { maxPartBytes: 1 << 20 });
      const parts = await collect(repackAudio(arriving, { skip, segments, packetTicks: 1024 }));
      expect(parts).toHaveLength(1 + segments.length);

      const times = Array.from({ length: 382 }, (_, packet) => start + packet * 1024);
      const before = await probe(original);
      const after = await probe(parts);
      expect(before.packets.length).toBeGreaterThanOrEqual(Math.floor(SAMPLES / 1024));
      expect(after.packets.map((packet) => packet.data_hash)).toEqual(
        before.packets.slice(skip, skip + 382).map((packet) => packet.data_hash),
      );
      expect(after.packets.map((packet) => packet.pts)).toEqual(times);
      expect(after.streams).toEqual([{ nb_read_frames: "382" }]);

      const { track, samples } = readWithMp4box(parts);
      expect(track).toMatchObject({ codec: AAC_LC_CODEC, nb_samples: 382 });
      expect(samples.map((sample) => sample.dts)).toEqual(times);
      expect(samples.every((sample) => sample.is_sync && sample.duration === 1024)).toBe(true);
    },
  );

  test("in Opus is read and cut like AAC", async () => {
    const source = encode(
      "-f lavfi -i sine=sample_rate=48000:duration=3 -c:a libopus -frag_duration 500000 -movflags +cmaf+skip_trailer",
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
    expect((await probe(parts)).streams).toEqual([{ nb_read_frames: "150" }]);
  });
});
