import { PipelineError } from "@gakuen/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeBox, writeFullBox } from "./boxes.ts";
import { type Mp4Index, readMp4Index } from "./mp4-index.ts";

interface Tables {
  readonly handler?: string;
  /** Pairs of count and ticks. */
  readonly stts: readonly number[];
  readonly ctts?: { readonly version: 0 | 1; readonly runs: readonly number[] };
  readonly sizes: Buffer;
  /** Triples of first chunk, samples per chunk and description. */
  readonly stsc: readonly number[];
  readonly offsets: Buffer;
  readonly more?: readonly Buffer[];
  /** Triples of movie ticks (1/1000 s), media time and rate. */
  readonly elst?: readonly number[];
}

const entries = (type: string, version: number, columns: number, values: readonly number[]): Buffer =>
  writeFullBox(type, version, 0, values.length / columns, ...values.map((value) => value >>> 0));

function trak(tables: Tables): Buffer {
  const stbl = writeBox(
    "stbl",
    writeBox("stsd", Buffer.from("0000000000000001", "hex")),
    entries("stts", 0, 2, tables.stts),
    ...(tables.ctts === undefined ? [] : [entries("ctts", tables.ctts.version, 2, tables.ctts.runs)]),
    entries("stsc", 0, 3, tables.stsc),
    tables.sizes,
    tables.offsets,
    ...(tables.more ?? []),
  );
  const mdia = writeBox(
    "mdia",
    writeFullBox("mdhd", 0, 0, 0, 0, 1000, 0, 0),
    writeBox("hdlr", Buffer.alloc(8), Buffer.from(tables.handler ?? "vide"), Buffer.alloc(13)),
    writeBox("minf", stbl),
  );
  const edts = tables.elst === undefined ? [] : [writeBox("edts", entries("elst", 0, 3, tables.elst))];
  return writeBox("trak", writeFullBox("tkhd", 0, 3, 0, 0, 1, 0, 0), ...edts, mdia);
}

const movie = (...traks: readonly Buffer[]): Buffer =>
  Buffer.concat([
    writeBox("ftyp", Buffer.from("isom\0\0\0\0", "latin1")),
    writeBox("mdat", Buffer.alloc(100)),
    writeBox("moov", writeFullBox("mvhd", 0, 0, 0, 0, 1000, 0), ...traks),
  ]);

function index(bytes: Buffer): Promise<Mp4Index | null> {
  return readMp4Index({
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  });
}

const four: Tables = {
  stts: [4, 40],
  sizes: writeFullBox("stsz", 0, 0, 0, 4, 10, 20, 30, 5),
  stsc: [1, 3, 1, 2, 1, 1],
  offsets: writeFullBox("stco", 0, 0, 2, 24, 90),
};

async function track(tables: Tables) {
  const result = await index(movie(trak(tables)));
  const [first] = result?.tracks ?? [];
  if (result === null || first === undefined) throw new Error("no index");
  return { ...first, times: [...first.presentationTimes], keys: [...first.keyframes], dataEnd: result.dataEnd };
}

describe("sample tables", () => {
  test("without composition offsets, sync table or edits show every sample when it is decoded", async () => {
    expect(await track(four)).toMatchObject({
      times: [0, 40, 80, 120],
      keys: [0, 40, 80, 120],
      lastDuration: 40,
      dataEnd: 95,
    });
  });

  test("give each sample its own duration, the last run's where the table is short", async () => {
    expect(await track({ ...four, stts: [1, 10, 1, 70] })).toMatchObject({ times: [0, 10, 80, 150], lastDuration: 70 });
  });

  test("sort reordered samples, and negative offsets count in both versions", async () => {
    for (const version of [0, 1] as const) {
      const ctts = { version, runs: [1, 0, 1, 80, 2, -40] };
      const more = [entries("stss", 0, 1, [1, 3])];
      expect(await track({ ...four, ctts, more })).toMatchObject({ times: [0, 40, 80, 120], keys: [0, 40] });
    }
  });

  test("have compact sizes and 64-bit offsets", async () => {
    const offsets = writeFullBox("co64", 0, 0, 2, 1, 24, 0, 90);
    for (const [bits, bytes] of [
      [4, "1234"],
      [8, "01020304"],
      [16, "0001000200030004"],
    ] as const) {
      const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, bits, 0, 0, 0, 4]), Buffer.from(bytes, "hex")]);
      expect(await track({ ...four, sizes: writeBox("stz2", body), offsets })).toMatchObject({
        times: [0, 40, 80, 120],
        dataEnd: 2 ** 32 + 24 + 1 + 2 + 3,
      });
    }
  });

  test("count uncompressed audio in packets", async () => {
    const pcm: Tables = {
      handler: "soun",
      stts: [3000, 1],
      sizes: writeFullBox("stsz", 0, 0, 2, 3000),
      stsc: [1, 2000, 1, 2, 1000, 1],
      offsets: writeFullBox("stco", 0, 0, 2, 24, 5000),
    };
    expect(await track(pcm)).toMatchObject({ times: [0, 1024, 2000], lastDuration: 1000, dataEnd: 7000 });
  });

  test("know random access points of sample groups and QuickTime's partial sync samples", async () => {
    const rap = writeBox(
      "sbgp",
      Buffer.concat([
        Buffer.alloc(4),
        Buffer.from("rap "),
        Buffer.from("00000002000000030000000000000001", "hex"),
        Buffer.from("00000001", "hex"),
      ]),
    );
    const more = [entries("stss", 0, 1, [1]), entries("stps", 0, 1, [2]), rap];
    expect(await track({ ...four, more })).toMatchObject({ keys: [0, 40, 120] });
  });
});

describe("edit lists", () => {
  test("hide what lies before the cut and after it, and delay the rest", async () => {
    expect(await track({ ...four, elst: [500, -1, 0x1_0000, 80, 40, 0x1_0000] })).toMatchObject({
      times: [500, 540],
      editShift: 460,
    });
  });

  test("of more than one cut are left to a scan", async () => {
    expect(await index(movie(trak({ ...four, elst: [80, 0, 0x1_0000, 80, 40, 0x1_0000] })))).toBeNull();
  });
});

describe("damage", () => {
  test("anywhere in a file leads to an index, to a scan or to a truncated source, never to a crash", async () => {
    const ctts = { version: 1 as const, runs: [1, 0, 1, 80, 2, -40] };
    const intact = movie(trak({ ...four, ctts, more: [entries("stss", 0, 1, [1, 3])], elst: [100, 0, 0x1_0000] }));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(intact.length - 1),
        fc.nat(255),
        fc.nat(2 * intact.length),
        async (position, value, length) => {
          const bytes = Buffer.from(intact.subarray(0, length));
          if (position < bytes.length) bytes[position] = value;
          const result = await index(bytes).catch((error: unknown) => error);
          if (result instanceof Error) {
            expect(result).toBeInstanceOf(PipelineError);
            expect(result).toMatchObject({ code: "source.truncated" });
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
