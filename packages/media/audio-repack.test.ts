import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { repackAudio } from "./audio-repack.ts";
import type { CmafPart } from "./cmaf-splitter.ts";
import { readFragment } from "./fragment.ts";
import { readInit } from "./init-segment.ts";
import { audioInit, collect, fragment } from "./test/synthetic-track.ts";

const init = readInit(audioInit());

async function* track(fragments: readonly (readonly Uint8Array[])[]): AsyncGenerator<CmafPart> {
  yield { kind: "init", bytes: audioInit() };
  for (const packets of fragments) yield { kind: "fragment", bytes: fragment({ packets }) };
}

function packetsIn(part: CmafPart | undefined): Buffer[] {
  if (part === undefined) return [];
  const { dataOffset, sampleSizes } = readFragment(part.bytes, init);
  let offset = dataOffset;
  return sampleSizes.map((size) => part.bytes.subarray(offset, (offset += size)));
}

function planned(counts: readonly number[], firstNumber = 1, start = 0) {
  let at = start;
  return counts.map((packets, i) => {
    const segment = { number: firstNumber + i, start: at, packets };
    at += packets * 1024;
    return segment;
  });
}

describe("repacking", () => {
  test("keeps every packet between the skipped ones and the surplus, whatever fragments they came in", async () => {
    const packet = fc.uint8Array({ minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(packet, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
        fc.nat(4),
        fc.nat(2 ** 45),
        async (fragments, counts, skip, start) => {
          const all = fragments.flat();
          const wanted = counts.reduce((sum, count) => sum + count, 0);
          const segments = planned(counts, 5, start);
          const result = collect(repackAudio(track(fragments), { skip, segments, packetTicks: 1024 }));
          if (all.length < skip + wanted) {
            await expect(result).rejects.toMatchObject({ code: "encode.incomplete" });
            return;
          }
          const parts = await result;
          expect(parts[0]).toEqual({ kind: "init", bytes: audioInit() });
          expect(parts).toHaveLength(segments.length + 1);
          for (const [i, segment] of segments.entries()) {
            const part = parts[i + 1];
            expect(readFragment(part?.bytes ?? Buffer.alloc(0), init)).toMatchObject({
              sequenceNumber: segment.number,
              decodeTime: segment.start,
              samples: segment.packets,
              duration: segment.packets * 1024,
              startsWithSync: true,
            });
          }
          const kept = parts.slice(1).flatMap((part) => packetsIn(part));
          expect(Buffer.concat(kept).equals(Buffer.concat(all.slice(skip, skip + wanted)))).toBe(true);
        },
      ),
    );
  });

  test("says how many packets there were when they end early", async () => {
    const packets = Array.from({ length: 7 }, () => Buffer.from("x"));
    const options = { skip: 2, segments: planned([4, 4]), packetTicks: 1024 };
    await expect(collect(repackAudio(track([packets]), options))).rejects.toThrow("made 5 of 8 audio packets");
  });

  test("reads its source to the end, so that an encoder is not cut off", async () => {
    let ended = false;
    async function* source(): AsyncGenerator<CmafPart> {
      yield* track([[Buffer.from("a")], [Buffer.from("b")], [Buffer.from("c")]]);
      ended = true;
    }
    await collect(repackAudio(source(), { skip: 0, segments: planned([1]), packetTicks: 1024 }));
    expect(ended).toBe(true);
  });
});
