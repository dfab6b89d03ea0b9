import { PipelineError } from "@gakuen/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findBox, readBoxes, readBoxHeader, writeBox, writeBoxHeader, writeFullBox } from "./boxes.ts";

const type = fc.stringMatching(/^[a-z0-9]{4}$/);
const boxes = fc.array(fc.record({ type, body: fc.uint8Array({ maxLength: 64 }) }), { maxLength: 12 });

describe("boxes", () => {
  test("what is written is read back, in order and in place", () => {
    fc.assert(
      fc.property(boxes, (wanted) => {
        const bytes = Buffer.concat(wanted.map((box) => writeBox(box.type, box.body)));
        const found = [...readBoxes(bytes)];
        expect(found.map((box) => box.type)).toEqual(wanted.map((box) => box.type));
        let offset = 0;
        for (const [i, box] of found.entries()) {
          expect(box.offset).toBe(offset);
          expect(box.body.equals(wanted[i]?.body ?? Buffer.alloc(0))).toBe(true);
          offset += box.size;
        }
        expect(offset).toBe(bytes.length);
      }),
    );
  });

  test("any bytes at all are either boxes or refused as malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const box of readBoxes(bytes)) expect(box.offset + box.size).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(PipelineError);
          expect(error).toMatchObject({ code: "ingest.malformed" });
        }
      }),
    );
  });

  test("a slice that is cut anywhere inside a box is refused", () => {
    const bytes = Buffer.concat([writeBox("free", Buffer.alloc(5)), writeBox("mdat", Buffer.alloc(9))]);
    for (let end = 1; end < bytes.length; end++) {
      if (end !== 13) expect(() => [...readBoxes(bytes.subarray(0, end))]).toThrow(PipelineError);
    }
  });

  test("size 1 means a 64-bit size, size 0 the rest of the slice", () => {
    const large = Buffer.concat([Buffer.alloc(16), Buffer.from("abc")]);
    large.writeUInt32BE(1, 0);
    large.write("mdat", 4);
    large.writeBigUInt64BE(19n, 8);
    const rest = Buffer.concat([Buffer.alloc(4), Buffer.from("mdatxyz")]);
    const found = [...readBoxes(Buffer.concat([large, rest]))];
    expect(found.map((box) => [box.type, box.size, box.body.toString()])).toEqual([
      ["mdat", 19, "abc"],
      ["mdat", 11, "xyz"],
    ]);
  });

  test("a body of 4 GiB and more gets a 64-bit size", () => {
    expect(readBoxHeader(writeBoxHeader("mdat", 2 ** 32), 0)).toEqual({
      type: "mdat",
      headerSize: 16,
      size: 2 ** 32 + 16,
    });
    expect(readBoxHeader(writeBoxHeader("mdat", 2 ** 32 - 9), 0)).toEqual({
      type: "mdat",
      headerSize: 8,
      size: 2 ** 32 - 1,
    });
  });

  test("a path leads through boxes to the first match, and to nothing where a step is missing", () => {
    const moov = writeBox("moov", writeFullBox("mvhd", 0, 0, 7), writeBox("trak", writeFullBox("tkhd", 1, 3, 9)));
    expect(findBox(moov, "moov", "trak", "tkhd")?.body.readUInt32BE(4)).toBe(9);
    expect(findBox(moov, "moov", "mvex", "trex")).toBeUndefined();
  });
});
