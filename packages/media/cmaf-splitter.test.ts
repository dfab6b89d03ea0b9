import { PipelineError } from "@gakuen/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeBox } from "./boxes.ts";
import { splitCmaf } from "./cmaf-splitter.ts";
import { audioInit, collect, fragment, inPieces } from "./test/synthetic-track.ts";

const limits = { maxPartBytes: 1 << 20 };
const packets = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 });
const dropped = fc.constantFrom("sidx", "free", "skip", "mfra", "uuid");
const kept = fc.constantFrom("styp", "prft", "emsg");

async function failure(bytes: Uint8Array, maxPartBytes = limits.maxPartBytes): Promise<unknown> {
  return collect(splitCmaf(inPieces(bytes, [7]), { maxPartBytes })).catch((error: unknown) => error);
}

describe("the splitter", () => {
  test("gives the same parts however the bytes arrive, and drops what is not media", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ packets, before: fc.array(kept, { maxLength: 2 }), after: fc.array(dropped, { maxLength: 2 }) }),
        ),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
        async (shapes, pieces) => {
          const wanted = [audioInit()];
          const stream = [audioInit()];
          for (const shape of shapes) {
            const bytes = fragment({
              packets: shape.packets,
              before: shape.before.map((type) => writeBox(type, Buffer.from("x"))),
            });
            wanted.push(bytes);
            stream.push(bytes, ...shape.after.map((type) => writeBox(type, Buffer.alloc(33))));
          }
          const parts = await collect(splitCmaf(inPieces(Buffer.concat(stream), pieces), limits));
          expect(parts.map((part) => part.kind)).toEqual(wanted.map((_, i) => (i === 0 ? "init" : "fragment")));
          for (const [i, part] of parts.entries()) expect(part.bytes.equals(wanted[i] ?? Buffer.alloc(0))).toBe(true);
        },
      ),
    );
  });

  test("drops nothing between a moof and its mdat, since offsets count over it", async () => {
    const bytes = fragment({ packets: [Buffer.from("one")] });
    const mdat = writeBox("mdat", Buffer.from("one"));
    const padded = Buffer.concat([bytes.subarray(0, -mdat.length), writeBox("free", Buffer.alloc(9)), mdat]);
    const parts = await collect(splitCmaf(inPieces(Buffer.concat([audioInit(), padded]), [50]), limits));
    expect(parts[1]?.bytes.equals(padded)).toBe(true);
  });

  test("gives a part as soon as its last byte is there", async () => {
    const first = fragment({ packets: [Buffer.from("one")] });
    const asked: string[] = [];
    async function* source(): AsyncGenerator<Uint8Array> {
      yield audioInit();
      asked.push("after init");
      yield first;
      asked.push("after fragment");
      yield fragment({ packets: [Buffer.from("two")] });
    }
    const parts = splitCmaf(source(), limits);
    expect((await parts.next()).value).toMatchObject({ kind: "init" });
    expect(asked).toEqual([]);
    expect((await parts.next()).value).toEqual({ kind: "fragment", bytes: first });
    expect(asked).toEqual(["after init"]);
    await parts.return(undefined);
  });

  test("hands out buffers that nothing writes to afterwards", async () => {
    const bytes = Buffer.concat([
      audioInit(),
      fragment({ packets: [Buffer.from("one")] }),
      fragment({ packets: [Buffer.from("two")] }),
    ]);
    const reused = Buffer.alloc(16);
    async function* source(): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(bytes, [16])) {
        reused.fill(0xff);
        reused.set(piece);
        yield reused.subarray(0, piece.length);
      }
    }
    const parts = await collect(splitCmaf(source(), limits));
    expect(Buffer.concat(parts.map((part) => part.bytes)).equals(bytes)).toBe(true);
  });

  test("refuses a track that ends anywhere but after a part", async () => {
    const init = audioInit();
    const whole = Buffer.concat([
      init,
      fragment({ packets: [Buffer.from("abc"), Buffer.from("defg")], before: [writeBox("styp")] }),
    ]);
    for (let end = 0; end < whole.length; end++) {
      if (end === init.length) continue;
      expect(await failure(whole.subarray(0, end)), `${end} bytes`).toMatchObject({ code: "ingest.malformed" });
    }
    expect(await failure(init)).toHaveLength(1);
  });

  test("refuses a part that is larger than allowed before holding it", async () => {
    const bytes = Buffer.concat([audioInit(), fragment({ packets: [Buffer.alloc(5_000)] })]);
    expect(await failure(bytes, 5_000)).toMatchObject({ code: "ingest.too-large" });
    const header = Buffer.alloc(8);
    header.writeUInt32BE(0xffff_fff0, 0);
    header.write("moof", 4);
    expect(await failure(header, 5_000)).toMatchObject({ code: "ingest.too-large" });
  });

  test("refuses boxes that have no place in a track, and boxes in the wrong order", async () => {
    const moof = fragment({ packets: [] }).subarray(0, -8);
    for (const bytes of [
      Buffer.from("GET /index.html HTTP/1.1\r\n\r\n"),
      writeBox("mdat", Buffer.from("abc")),
      Buffer.concat([moof, moof]),
      Buffer.concat([moof, audioInit()]),
      Buffer.concat([Buffer.alloc(4), Buffer.from("mdat")]),
    ]) {
      const error = await failure(bytes);
      expect(error).toBeInstanceOf(PipelineError);
      expect(error).toMatchObject({ code: "ingest.malformed" });
    }
  });

  test("passes on what the source throws", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield audioInit();
      throw new Error("connection reset");
    }
    await expect(collect(splitCmaf(source(), limits))).rejects.toThrow("connection reset");
  });
});
