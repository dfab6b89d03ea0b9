import type { ChunkId, TitleId } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import {
  chunkJob,
  encodedParts,
  never,
  type PlannedFilm,
  sent,
  type TestParts,
  trackId,
} from "../kaikeishi-uploader/testing.ts";

export type EncodedFilm = ReadonlyMap<ChunkId, ReadonlyMap<string, readonly CmafPart[]>>;

/** All chunks of a film; encoded once, stored for as many titles as a test wants. */
export async function encodeFilm(parts: TestParts, film: PlannedFilm): Promise<EncodedFilm> {
  const encoded = new Map<ChunkId, ReadonlyMap<string, readonly CmafPart[]>>();
  for (const { id } of film.plan.chunks)
    encoded.set(id, await encodedParts(await chunkJob(parts, film, "any-title" as TitleId, id)));
  return encoded;
}

/** Sends one chunk of a title to the uploader, which stores it and writes the receipts. */
export async function storeChunk(
  parts: TestParts,
  film: PlannedFilm,
  encoded: EncodedFilm,
  title: TitleId,
  chunk: string,
): Promise<void> {
  const job = await chunkJob(parts, film, title, chunk);
  const claim = await parts.kaikeishi.claim(job.ref, job.grant, never());
  if (claim.state === "complete") return;
  for (const [track, encodedTrack] of encoded.get(job.ref.chunk) ?? [])
    await parts.kaikeishi.put({ ...job.ref, track: trackId(track) }, claim.token, sent(encodedTrack), never());
}
