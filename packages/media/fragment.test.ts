import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PipelineError } from "@gakuen/contracts";
import { readFragment, retimeFragment } from "./fragment.ts";
import { readInit } from "./init-segment.ts";
import { audioInit, fragment } from "./test/synthetic-track.ts";

const init = readInit(audioInit());
const two = [Buffer.from("abc"), Buffer.from("defgh")];

describe("the init segment", () => {
  test("says what the track is", () => {
    expect(readInit(audioInit({ duration: 960, size: 4, flags: 0x1_0000 }))).toEqual({
      trackId: 1,
      kind: "audio",
      timescale: 48_000,
      codec: "mp4a.40.2",
      width: 0,
      height: 0,
      channels: 2,
      sampleRate: 48_000,
      defaultSampleDuration: 960,
      defaultSampleSize: 4,
      defaultSampleFlags: 0x1_0000,
      hasEditList: false,
    });
  });

  test("any damage is refused as malformed or read as something else, never thrown otherwise", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(255), fc.nat(), (position, value, end) => {
        const bytes = audioInit();
        bytes[position % bytes.length] = value;
        try {
          readInit(bytes.subarray(0, bytes.length - (end % 3 === 0 ? end % bytes.length : 0)));
        } catch (error) {
          expect(error).toMatchObject({ code: "ingest.malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a fragment", () => {
  test("says when its samples are, how large they are and where they lie", () => {
    const bytes = fragment({ packets: two, decodeTime: 2 ** 40 });
    expect(readFragment(bytes, init)).toEqual({
      sequenceNumber: 1,
      trackId: 1,
      decodeTime: 2 ** 40,
      samples: 2,
      duration: 2048,
      startsWithSync: true,
      firstPresentationOffset: 0,
      sampleSizes: [3, 5],
      dataOffset: bytes.length - 8,
    });
  });

  test("falls back from its own defaults to those of the init segment", () => {
    const bare = fragment({ packets: two, tfhd: { flags: 0x2_0000, fields: [] } });
    expect(readFragment(bare, readInit(audioInit({ duration: 960 }))).duration).toBe(1920);
    expect(readFragment(bare, readInit(audioInit({ flags: 0x1_0000 }))).startsWithSync).toBe(false);
    const own = fragment({ packets: two, tfhd: { flags: 0x2_0028, fields: [100, 0] } });
    expect(readFragment(own, readInit(audioInit({ duration: 960, flags: 0x1_0000 })))).toMatchObject({
      duration: 200,
      startsWithSync: true,
    });
  });

  test("is refused when its samples are not exactly the mdat's payload", () => {
    const bytes = fragment({ packets: two });
    const missing = Buffer.from(bytes.subarray(0, -1));
    missing.writeUInt32BE(15, bytes.length - 16);
    expect(() => readFragment(missing, init)).toThrow(/samples have 8 bytes, the mdat holds 7/);
    const elsewhere = Buffer.from(bytes);
    elsewhere.writeUInt32BE(3, bytes.indexOf("trun") + 12);
    expect(() => readFragment(elsewhere, init)).toThrow(PipelineError);
  });

  test("is refused when it is of another track", () => {
    expect(() => readFragment(fragment({ packets: two }), { ...init, trackId: 2 })).toThrow(
      /of track 1, the init segment of 2/,
    );
  });

  test("any damage is refused as malformed or read as something else, never thrown otherwise", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(255), (position, value) => {
        const bytes = fragment({ packets: two });
        bytes[position % bytes.length] = value;
        try {
          readFragment(bytes, init);
        } catch (error) {
          expect(error).toMatchObject({ code: "ingest.malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("retiming", () => {
  test("changes the sequence number and the decode time, and nothing else", () => {
    fc.assert(
      fc.property(fc.nat(), fc.maxSafeNat(), (sequenceNumber, decodeTime) => {
        const bytes = fragment({ packets: two, decodeTime: 5 });
        const before = readFragment(bytes, init);
        retimeFragment(bytes, { sequenceNumber, decodeTime });
        expect(readFragment(bytes, init)).toEqual({ ...before, sequenceNumber, decodeTime });
        retimeFragment(bytes, { sequenceNumber: 1, decodeTime: 5 });
        expect(bytes.equals(fragment({ packets: two, decodeTime: 5 }))).toBe(true);
      }),
    );
  });

  test("uses a 32-bit decode time as far as it goes", () => {
    const bytes = fragment({ packets: two, tfdtVersion: 0 });
    retimeFragment(bytes, { sequenceNumber: 2, decodeTime: 0xffff_ffff });
    expect(readFragment(bytes, init).decodeTime).toBe(0xffff_ffff);
    expect(() => retimeFragment(bytes, { sequenceNumber: 3, decodeTime: 2 ** 32 })).toThrow(/32-bit/);
    expect(readFragment(bytes, init)).toMatchObject({ sequenceNumber: 2, decodeTime: 0xffff_ffff });
  });
});
