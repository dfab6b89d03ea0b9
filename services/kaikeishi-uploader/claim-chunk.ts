import { type Chunk, type ChunkRef, type Claim, INIT_NUMBER, PipelineError, type Plan } from "@gakuen/contracts";
import type { Log, Tokens } from "@gakuen/platform";
import { chunkReceipts, dropLostReceipts, getPlan, type Records, takeClaim } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { authorizeClaim } from "./authorize.ts";
import { lostReceipts } from "./lost-receipts.ts";

/** A token outlives the longest chunk by far; it is the claim that fences, not the clock. */
const TOKEN_SECONDS = 6 * 60 * 60;

export interface ClaimParts {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly tokens: Tokens;
  readonly log: Log;
}

/** Plan and chunk that a reference names. Errors: `ingest.title-gone`. */
export async function resolveChunk(records: Records, ref: ChunkRef): Promise<{ plan: Plan; chunk: Chunk }> {
  const plan = await getPlan(records, ref.title, ref.plan);
  const chunk = plan?.chunks.find((candidate) => candidate.id === ref.chunk);
  if (!plan || !chunk)
    throw new PipelineError("ingest.title-gone", `title ${ref.title} has no plan ${ref.plan} with chunk ${ref.chunk}`);
  return { plan, chunk };
}

/**
 * Gives a chunk to the caller and takes it away from whoever had it; tells when nothing is left to do. A receipt is
 * believed only while its object is in the store: what the store has lost is forgotten under the new claim and made anew.
 *
 * Errors: `ingest.unauthorized`, `ingest.title-gone`, `store.*`.
 */
export async function claimChunk(parts: ClaimParts, ref: ChunkRef, grant: string): Promise<Claim> {
  const { records, store, tokens, log } = parts;
  await authorizeClaim(tokens, ref, grant);
  const { chunk } = await resolveChunk(records, ref);
  const receipts = await chunkReceipts(records, ref);
  const lost = await lostReceipts(store, receipts);
  const segments = receipts.filter((receipt) => receipt.number !== INIT_NUMBER);
  if (lost.length === 0 && segments.length === chunk.tracks.length * chunk.segments) return { state: "complete" };

  const claim = await takeClaim(records, ref);
  if (claim.state === "title-gone")
    throw new PipelineError("ingest.title-gone", `title ${ref.title} is not being encoded any more`);
  if (lost.length > 0 && (await dropLostReceipts(records, ref, claim.attempt, lost)))
    log.warn({ ...ref, keys: lost.map(({ key }) => key) }, "the store has lost segments: they are made anew");
  const token = await tokens.sign("ingest", { ...ref, attempt: claim.attempt }, TOKEN_SECONDS);
  return { state: "open", attempt: claim.attempt, token };
}
