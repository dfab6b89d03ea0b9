import { createHash } from "node:crypto";
import { type ChunkRef, PipelineError, segmentKey, type TrackId } from "@gakuen/contracts";
import { addReceipt, type Receipt, type Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";

/** The work on one chunk by one claimant. */
export interface ClaimedChunk {
  readonly ref: ChunkRef;
  readonly attempt: number;
}

export interface SegmentToStore {
  readonly track: TrackId;
  readonly number: number;
  readonly start: number;
  readonly duration: number;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Makes one segment durable and writes its receipt; the order is what everything rests on: object first, receipt
 * second, acknowledgement last.
 *
 * The first durable bytes win. An object without a receipt was left by a process that died between the two, or is just
 * being written by a fenced one: with equal bytes it is taken over, else it is overwritten under the claim.
 *
 * Errors: `ingest.claim-lost`, `ingest.title-gone`, `ingest.mismatch` (another chunk stored a different init segment),
 * `store.*`.
 */
export async function storeSegment(
  { records, store }: { readonly records: Records; readonly store: ObjectStore },
  claimed: ClaimedChunk,
  segment: SegmentToStore,
  contentType: string,
  signal: AbortSignal,
): Promise<void> {
  const { ref, attempt } = claimed;
  const key = segmentKey(ref.title, ref.plan, segment.track, segment.number);
  const { stored } = await store.putIfAbsent(key, segment.bytes, { contentType, signal });
  if (!stored && (await storedChecksum(store, key)) !== segment.sha256)
    await store.put(key, segment.bytes, { contentType, signal });

  const receipt: Receipt = {
    track: segment.track,
    number: segment.number,
    chunk: ref.chunk,
    attempt,
    key,
    bytes: segment.bytes.byteLength,
    sha256: segment.sha256,
    start: segment.start,
    duration: segment.duration,
  };
  const outcome = await addReceipt(records, ref, attempt, receipt);
  switch (outcome) {
    case "stored":
      return;
    case "claim-lost":
      throw new PipelineError("ingest.claim-lost", `chunk ${ref.chunk} of ${ref.title} was given to another encoder`);
    case "title-gone":
      // Whoever removes the title may have listed its objects before this one came.
      await store.delete(key);
      throw new PipelineError("ingest.title-gone", `title ${ref.title} is not being encoded any more`);
    case "conflict":
      throw new PipelineError(
        "ingest.mismatch",
        `${key} is already stored with other bytes; do all encoders run the same version of ffmpeg?`,
      );
  }
}

async function storedChecksum(store: ObjectStore, key: string): Promise<string> {
  const hash = createHash("sha256");
  const { body } = await store.get(key);
  for await (const part of body) hash.update(part);
  return hash.digest("hex");
}
