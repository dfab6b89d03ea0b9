import {
  type ChunkRef,
  type IngestResult,
  INIT_NUMBER,
  PipelineError,
  segmentSpans,
  type Track,
} from "@gakuen/contracts";
import { type InitInfo, readFragment, readInit, splitCmaf } from "@gakuen/media";
import type { Log } from "@gakuen/platform";
import { chunkReceipts, dropChunkReceipts, type Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { checkFragment, checkInit } from "./check-segment.ts";
import { lostReceipts } from "./lost-receipts.ts";
import { storeInit } from "./store-init.ts";
import { type ClaimedChunk, claimLost, sha256, storeSegment } from "./store-segment.ts";
import { waitOut } from "./wait-out.ts";

/** One segment is held in memory while it is checked and stored; four seconds of the highest rung are a tenth of this. */
const MAX_SEGMENT_BYTES = 64 * 1024 * 1024;

export interface ReceiveParts {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly log: Log;
  /** How long store and database may be away before the chunk is given back; {@link waitOut} has the default. */
  readonly patienceMs?: number | undefined;
}

/**
 * Takes one track of a claimed chunk as it is being encoded: split, check against the plan, make durable, next.
 * The sender is read no faster than the store writes.
 */
export async function receiveTrack(
  parts: ReceiveParts,
  claimed: ClaimedChunk,
  track: Track,
  range: { readonly firstSegment: number; readonly segments: number },
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<IngestResult> {
  const { records, log } = parts;
  const { ref } = claimed;
  const contentType = track.kind === "video" ? "video/mp4" : "audio/mp4";
  const spans = segmentSpans(track, range.firstSegment, range.segments);
  const known = new Map(
    (await chunkReceipts(records, ref))
      .filter((receipt) => receipt.track === track.id)
      .map((receipt) => [receipt.number, receipt]),
  );
  let init: InitInfo | undefined;
  let stored = 0;
  let matched = 0;

  for await (const part of splitCmaf(body, { maxPartBytes: MAX_SEGMENT_BYTES })) {
    signal.throwIfAborted();
    const checksum = sha256(part.bytes);
    if (part.kind === "init") {
      init = readInit(part.bytes);
      checkInit(track, init);
      const segment = { track: track.id, bytes: part.bytes, sha256: checksum };
      await waitOut(() => storeInit(parts, claimed, segment, contentType, signal), { ...parts, signal });
      continue;
    }
    if (!init) throw new PipelineError("ingest.malformed", "a fragment came before the init segment");
    const next = spans.next();
    if (next.done)
      throw new PipelineError(
        "ingest.mismatch",
        `${track.id} of chunk ${ref.chunk} has more than the planned ${range.segments} segments`,
      );
    const span = next.value;
    checkFragment(track, span, readFragment(part.bytes, init));
    const earlier = known.get(span.number);
    if (earlier?.sha256 === checksum) {
      matched += 1;
      continue;
    }
    if (earlier) return await disagree(parts, claimed, track, span.number);
    const segment = { track: track.id, ...span, ...part, sha256: checksum };
    await waitOut(() => storeSegment(parts, claimed, segment, contentType, signal), { ...parts, signal });
    stored += 1;
    log.debug({ track: track.id, segment: span.number, bytes: part.bytes.byteLength }, "segment stored");
  }

  const received = stored + matched;
  if (received !== range.segments)
    throw new PipelineError(
      "ingest.mismatch",
      `${track.id} of chunk ${ref.chunk} ended after ${received} of ${range.segments} segments`,
    );
  await verifyStored(parts, ref, track, range.segments);
  return { stored, matched };
}

/** Two encoders made different bytes of one segment: what is stored of the chunk is forgotten, and it is made anew. */
async function disagree(
  { records, log }: ReceiveParts,
  { ref, attempt }: ClaimedChunk,
  track: Track,
  number: number,
): Promise<never> {
  if (!(await dropChunkReceipts(records, ref, attempt))) throw claimLost(ref);
  log.warn({ track: track.id, segment: number }, "two encoders disagree: the chunk is made anew");
  throw new PipelineError(
    "ingest.mismatch",
    `segment ${number} of ${track.id} was stored earlier with other bytes; the chunk is made anew. ` +
      "If this happens often, the encoders run different versions of ffmpeg.",
  );
}

/**
 * The last look before anything is acknowledged: every segment has its receipt, and every object is there in its length.
 * A receipt that was there at first may be gone: the chunk's other tracks are received at the same time, and one on
 * which encoders disagree takes them all along.
 */
async function verifyStored(
  { records, store }: ReceiveParts,
  ref: ChunkRef,
  track: Track,
  segments: number,
): Promise<void> {
  const receipts = (await chunkReceipts(records, ref)).filter((receipt) => receipt.track === track.id);
  const present = receipts.filter((receipt) => receipt.number !== INIT_NUMBER).length;
  if (present !== segments)
    throw new PipelineError(
      "ingest.mismatch",
      `only ${present} of ${segments} segments of ${track.id} are still stored: chunk ${ref.chunk} is made anew`,
    );
  const [lost] = await lostReceipts(store, receipts);
  // The next claim drops its receipt, and the segment is written anew.
  if (lost)
    throw new PipelineError(
      "store.unavailable",
      `${lost.key} was stored, but the store does not have all of it any more`,
    );
}
