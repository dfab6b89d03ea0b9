import { createHash } from "node:crypto";
import { type ChunkRef, INIT_NUMBER, segmentSpans } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import type { Tokens } from "@gakuen/platform";
import { chunkReceipts, type Receipt } from "@gakuen/records";
import type { IngestClient } from "./ingest-client.ts";
import { type PlacedTitles, refOf } from "./placed-title.ts";
import { demand, demandEqual, type Report } from "./report.ts";
import type { SampleFilm } from "./sample-film.ts";

/** What the kit for uploaders works with. */
export interface IngestKit {
  readonly tokens: Tokens;
  readonly report: Report;
  readonly film: SampleFilm;
  readonly titles: PlacedTitles;
  readonly client: IngestClient;
  /** The long chunk of the tests: several segments of both rungs. */
  readonly chunk: string;
  readonly track: string;
  readonly whole: readonly CmafPart[];
}

export async function newRef({ titles, film, chunk }: IngestKit): Promise<ChunkRef> {
  return refOf(film, await titles.place(film), chunk);
}

export const receipts = async (kit: IngestKit, ref: ChunkRef, track = kit.track): Promise<Receipt[]> =>
  (await chunkReceipts(kit.titles.records, ref)).filter((receipt) => receipt.track === track);
export const stored = async (kit: IngestKit, ref: ChunkRef): Promise<number[]> =>
  (await receipts(kit, ref)).map(({ number }) => number).filter((number) => number !== INIT_NUMBER);

/** Receipts and objects are what was sent: numbers, times, lengths, checksums. */
export async function demandReceipts(
  kit: IngestKit,
  ref: ChunkRef,
  trackId: string,
  parts: readonly CmafPart[],
): Promise<void> {
  const track = kit.film.plan.tracks.find(({ id }) => id === trackId);
  const chunk = kit.film.plan.chunks.find(({ id }) => id === ref.chunk);
  if (!track || !chunk) throw new Error(`the kit's own plan has no ${trackId} in ${ref.chunk}`);
  const spans = [...segmentSpans(track, chunk.firstSegment, chunk.segments)];
  const expected = [{ number: INIT_NUMBER, start: 0, duration: 0 }, ...spans].map((span, index) => {
    const bytes = parts[index]?.bytes ?? Buffer.alloc(0);
    return { ...span, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const found = await receipts(kit, ref, trackId);
  const told = found.map(({ number, start, duration, bytes, sha256 }) => ({ number, start, duration, bytes, sha256 }));
  demandEqual(`the receipts of ${trackId} (S-5)`, told, expected);
  if (!kit.titles.storeIsKnown) return;
  for (const [index, { key }] of found.entries())
    demand(
      (await kit.titles.object(key))?.equals(parts[index]?.bytes ?? Buffer.alloc(0)) ?? false,
      `${key} in the store is not what was sent`,
    );
}

export async function* partsOf(parts: readonly CmafPart[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield part.bytes;
}
