import { createHash } from "node:crypto";
import { type ChunkRef, PipelineError, segmentKey, type TrackId } from "@gakuen/contracts";
import {
  type AddedReceipt,
  addReceipt,
  findReceipt,
  getTitle,
  holdClaim,
  type Receipt,
  type Records,
} from "@gakuen/records";
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

export interface StoreParts {
  readonly records: Records;
  readonly store: ObjectStore;
}

/**
 * Makes one media segment durable and writes its receipt; the order is what everything rests on: object first, receipt
 * second, acknowledgement last.
 *
 * The first durable bytes win. An object without a receipt was left by a process that died between the two, or is just
 * being written by a fenced one: with equal bytes it is taken over, else it is overwritten under the claim.
 *
 * Errors: `ingest.claim-lost`, `ingest.title-gone`, `ingest.mismatch` (it has a receipt with other bytes), `store.*`.
 */
export async function storeSegment(
  parts: StoreParts,
  claimed: ClaimedChunk,
  segment: SegmentToStore,
  contentType: string,
  signal: AbortSignal,
): Promise<void> {
  const { records, store } = parts;
  const { ref, attempt } = claimed;
  const key = segmentKey(ref.title, ref.plan, segment.track, segment.number);
  const put = { contentType, signal };
  const { stored } = await store.putIfAbsent(key, segment.bytes, put);
  if (!stored && (await storedChecksum(store, key)) !== segment.sha256)
    demandStored(await overwriteUnderClaim(parts, claimed, segment, key, put), claimed, key);

  const outcome = await addReceipt(records, ref, attempt, receiptOf(claimed, segment));
  if (outcome === "title-gone") await removeOrphan(parts, ref, segment, key);
  demandStored(outcome, claimed, key);
}

export function receiptOf({ ref, attempt }: ClaimedChunk, segment: SegmentToStore): Receipt {
  const { track, number, start, duration, sha256 } = segment;
  const key = segmentKey(ref.title, ref.plan, track, number);
  return { track, number, chunk: ref.chunk, attempt, key, bytes: segment.bytes.byteLength, sha256, start, duration };
}

/**
 * Replaces an object while no other claimant can write its receipt: whoever lost the claim, or comes with other bytes
 * than those that have a receipt, changes nothing.
 */
async function overwriteUnderClaim(
  { records, store }: StoreParts,
  { ref, attempt }: ClaimedChunk,
  segment: SegmentToStore,
  key: string,
  put: { readonly contentType: string; readonly signal: AbortSignal },
): Promise<AddedReceipt> {
  return records.db.transaction().execute(async (tx) => {
    const claim = await holdClaim(tx, ref, attempt);
    if (claim !== "held") return claim;
    const receipt = await findReceipt({ ...records, db: tx }, ref.title, ref.plan, segment.track, segment.number);
    if (receipt && receipt.sha256 !== segment.sha256) return "conflict";
    await store.put(key, segment.bytes, put);
    return "stored";
  });
}

/**
 * Whoever removes a title may have listed its objects before this one came. A title that was only cancelled keeps what
 * has a receipt: it may be tried again.
 */
async function removeOrphan(
  { records, store }: StoreParts,
  ref: ChunkRef,
  segment: SegmentToStore,
  key: string,
): Promise<void> {
  const title = await getTitle(records, ref.title);
  const stays = title !== undefined && title.state !== "removing";
  if (stays && (await findReceipt(records, ref.title, ref.plan, segment.track, segment.number))) return;
  await store.delete(key);
}

export function demandStored(outcome: AddedReceipt, { ref }: ClaimedChunk, key: string): void {
  switch (outcome) {
    case "stored":
      return;
    case "claim-lost":
      throw claimLost(ref);
    case "title-gone":
      throw new PipelineError("ingest.title-gone", `title ${ref.title} is not being encoded any more`);
    case "conflict":
      throw new PipelineError(
        "ingest.mismatch",
        `${key} is already stored with other bytes; do all encoders run the same version of ffmpeg?`,
      );
  }
}

export const claimLost = (ref: ChunkRef): PipelineError =>
  new PipelineError("ingest.claim-lost", `chunk ${ref.chunk} of ${ref.title} was given to another encoder`);

export async function storedChecksum(store: ObjectStore, key: string): Promise<string> {
  const hash = createHash("sha256");
  const { body } = await store.get(key);
  for await (const part of body) hash.update(part);
  return hash.digest("hex");
}
