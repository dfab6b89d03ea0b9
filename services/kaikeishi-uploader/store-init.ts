import { INIT_NUMBER, segmentKey } from "@gakuen/contracts";
import { findReceipt, holdClaim, holdInitSegment, insertReceipt } from "@gakuen/records";
import { lostReceipts } from "./lost-receipts.ts";
import {
  type ClaimedChunk,
  demandStored,
  receiptOf,
  type SegmentToStore,
  type StoreParts,
  storedChecksum,
} from "./store-segment.ts";

/**
 * Makes a track's init segment durable, once for all chunks of the track. Several of them may be the first at the same
 * time and disagree about it: object and receipt are written by one of them at a time, so that they always belong
 * together. One that has its receipt is only written again, with the same bytes, when the store has lost it.
 *
 * Errors: `ingest.claim-lost`, `ingest.title-gone`, `ingest.mismatch` (another chunk stored a different one), `store.*`.
 */
export async function storeInit(
  parts: StoreParts,
  claimed: ClaimedChunk,
  segment: Omit<SegmentToStore, "number" | "start" | "duration">,
  contentType: string,
  signal: AbortSignal,
): Promise<void> {
  const { records, store } = parts;
  const { ref, attempt } = claimed;
  const { track, bytes, sha256 } = segment;
  const earlier = await findReceipt(records, ref.title, ref.plan, track, INIT_NUMBER);
  if (earlier?.sha256 === sha256 && (await lostReceipts(store, [earlier])).length === 0) return;

  const key = segmentKey(ref.title, ref.plan, track, INIT_NUMBER);
  const put = { contentType, signal };
  const outcome = await records.db.transaction().execute(async (tx) => {
    const claim = await holdClaim(tx, ref, attempt);
    if (claim !== "held") return claim;
    await holdInitSegment(tx, ref, track);
    const first = await findReceipt({ ...records, db: tx }, ref.title, ref.plan, track, INIT_NUMBER);
    if (first && first.sha256 !== sha256) return "conflict";
    const { stored } = await store.putIfAbsent(key, bytes, put);
    // Left by a process that died before it wrote the receipt, or cut off in the store.
    if (!stored && (await storedChecksum(store, key)) !== sha256) await store.put(key, bytes, put);
    return insertReceipt(tx, ref, receiptOf(claimed, { ...segment, number: INIT_NUMBER, start: 0, duration: 0 }));
  });
  demandStored(outcome, claimed, key);
}
