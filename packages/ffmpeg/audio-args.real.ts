import type { EncodeJob, Seek } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import {
  encodeChunk,
  lagAt,
  numberedVideo,
  readSamples,
  type SoundRecipe,
  signalToNoise,
  withFile,
} from "../../test/fixtures/index.ts";

const PACKET = 1024;
const PREROLL = 4;
const SECONDS = 12;

interface Case {
  readonly sound: Omit<SoundRecipe, "signal" | "seconds">;
  readonly container: "mp4" | "mkv";
  readonly sampleRate: number;
}

function job(path: string, sampleRate: number, span: readonly [number, number], seek: Seek, origin = 0): EncodeJob {
  const [startPacket, endPacket] = span;
  return {
    kind: "audio",
    ref: { title: "title", plan: "0".repeat(20), chunk: "a1-0" },
    source: { kind: "file", path },
    originMicroseconds: origin,
    grant: "",
    chunk: {
      kind: "audio",
      id: "a1-0",
      tracks: ["a1"],
      firstSegment: 1,
      segments: 1,
      seek,
      startPacket,
      endPacket,
      preroll: startPacket === 0 ? 0 : PREROLL,
    },
    tracks: [
      {
        kind: "audio",
        id: "a1",
        codec: "mp4a.40.2",
        timescale: sampleRate,
        sampleTicks: PACKET,
        timeline: [{ ticks: 1, count: 1 }],
        bandwidth: 1,
        averageBandwidth: 1,
        language: "und",
        label: "",
        default: true,
        channels: 2,
        stream: 1,
        encoder: { name: "aac", bitrate: 192_000, sampleRate, channelLayout: "stereo" },
      },
    ],
  } as unknown as EncodeJob;
}

/** What a player hears of a chunk: its packets without the preroll, from the sample at which the chunk begins. */
async function heard(encode: EncodeJob): Promise<Float32Array> {
  if (encode.kind !== "audio") throw new Error("an audio chunk is wanted");
  const [track = Buffer.alloc(0)] = await encodeChunk(encode);
  const { startPacket, endPacket, preroll } = encode.chunk;
  const samples = await withFile(track, "track.mp4", (path) =>
    readSamples(path, { sampleRate: encode.tracks[0]?.encoder.sampleRate ?? 0, filter: "anull" }),
  );
  const wanted = (endPacket - startPacket) * PACKET;
  expect(samples.length).toBeGreaterThanOrEqual(preroll * PACKET + wanted);
  return samples.subarray(preroll * PACKET, preroll * PACKET + wanted);
}

const cases: readonly Case[] = [
  { sound: { codec: "aac", sampleRate: 48_000 }, container: "mp4", sampleRate: 48_000 },
  { sound: { codec: "aac", sampleRate: 44_100 }, container: "mp4", sampleRate: 48_000 },
  { sound: { codec: "aac", sampleRate: 44_100 }, container: "mkv", sampleRate: 44_100 },
  { sound: { codec: "aac", sampleRate: 48_000, channelLayout: "5.1" }, container: "mkv", sampleRate: 48_000 },
  { sound: { codec: "libmp3lame", sampleRate: 44_100 }, container: "mp4", sampleRate: 44_100 },
  { sound: { codec: "libmp3lame", sampleRate: 48_000 }, container: "mkv", sampleRate: 48_000 },
  { sound: { codec: "flac", sampleRate: 44_100 }, container: "mkv", sampleRate: 48_000 },
  { sound: { codec: "flac", sampleRate: 48_000 }, container: "mp4", sampleRate: 48_000 },
  { sound: { codec: "libopus", sampleRate: 48_000 }, container: "mp4", sampleRate: 48_000 },
  { sound: { codec: "libopus", sampleRate: 48_000 }, container: "mkv", sampleRate: 48_000 },
];

describe.concurrent("audio chunks", () => {
  test.for(cases)(
    "$sound.codec $sound.sampleRate in $container to $sampleRate",
    async ({ sound, container, sampleRate }) => {
      const path = await numberedVideo({
        rate: "25",
        frames: 25 * SECONDS,
        gop: 125,
        container,
        sound: { ...sound, signal: "sweep", seconds: SECONDS },
      });
      const last = Math.ceil((SECONDS * sampleRate) / PACKET);
      const join = Math.round((8.3 * sampleRate) / PACKET);
      const source = await readSamples(path, { sampleRate });
      const whole = await heard(job(path, sampleRate, [0, last], { mode: "start" }));
      const lags = [1, 4, 10].map((second) => lagAt(source, whole, second * sampleRate, 2048, 600));
      const start = (join * PACKET) / sampleRate;
      const first = await heard(job(path, sampleRate, [0, join], { mode: "start" }));
      const second = await heard(job(path, sampleRate, [join, last], { mode: "before", seconds: start - 2 }));
      const joined = new Float32Array(whole.length);
      joined.set(first);
      joined.set(second, first.length);
      const at = join * PACKET;
      const around = (reference: Float32Array, other: Float32Array): number =>
        signalToNoise(reference, other, at - PACKET, at + PACKET);
      // Opus begins 6.5 ms early, which Matroska's clock rounds to 7: half a millisecond nobody can take back.
      const tolerance = sound.codec === "libopus" && container === "mkv" ? 24 : 1;
      for (const lag of [...lags, lagAt(source, joined, at + 2 * sampleRate, 2048, 600)])
        expect(Math.abs(lag)).toBeLessThanOrEqual(tolerance);
      expect(around(whole, joined)).toBeGreaterThan(30);
      if (tolerance === 1) expect(around(source, joined)).toBeGreaterThan(30);
    },
  );

  test("are silent where the source begins late or ends early, and keep its time", async () => {
    const rate = 48_000;
    const path = await numberedVideo({
      rate: "25",
      frames: 250,
      container: "mp4",
      sound: { codec: "flac", sampleRate: rate, signal: "sweep", seconds: 5, startTime: 2.5 },
    });
    const source = await readSamples(path, { sampleRate: rate });
    const whole = await heard(job(path, rate, [0, Math.ceil((10 * rate) / PACKET)], { mode: "start" }));
    expect(signalToNoise(source, whole, 3 * rate, 7 * rate)).toBeGreaterThan(30);
    expect(Math.max(...whole.subarray(PACKET, 2.4 * rate).map(Math.abs))).toBeLessThan(0.001);
    expect(Math.max(...whole.subarray(7.6 * rate).map(Math.abs))).toBeLessThan(0.001);
  });

  test("are silent for as long as the plan says and no longer, so sound that was cut off is noticed", async () => {
    const rate = 48_000;
    const sound = { codec: "flac", sampleRate: rate, signal: "sweep", seconds: 5 } as const;
    const path = await numberedVideo({ rate: "25", frames: 250, container: "mkv", sound });
    const packets = (encode: EncodeJob): Promise<number> =>
      heard(encode).then(
        (samples) => samples.length / PACKET,
        () => 0,
      );
    const [whole, later] = [Math.ceil((10 * rate) / PACKET), Math.ceil((7 * rate) / PACKET)];
    const padded = (span: readonly [number, number], seek: Seek, seconds: number): EncodeJob => {
      const encode = job(path, rate, span, seek);
      return { ...encode, chunk: { ...encode.chunk, padding: Math.round(seconds * rate) } } as EncodeJob;
    };
    expect(await packets(padded([0, whole], { mode: "start" }, 5.01))).toBe(whole);
    expect(await packets(padded([0, whole], { mode: "start" }, 4))).toBe(0);
    // A chunk that begins behind the end of the sound is silent altogether.
    const silent = padded([later, whole], { mode: "before", seconds: 5 }, 5.01);
    expect(await packets(silent)).toBe(whole - later);
    expect(Math.max(...(await heard(silent)).subarray(0, rate).map(Math.abs))).toBeLessThan(0.001);
  });
});
