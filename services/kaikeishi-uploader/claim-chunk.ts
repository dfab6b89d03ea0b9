import { type Chunk, type ChunkRef, type Claim, INIT_NUMBER, PipelineError, type Plan } from "@gakuen/contracts";
import type { Tokens } from "@gakuen/platform";
import { chunkReceipts, getPlan, type Records, takeClaim } from "@gakuen/records";
import { authorizeClaim } from "./authorize.ts";

/** A token outlives the longest chunk by far; it is the claim that fences, not the clock. */
const TOKEN_SECONDS = 6 * 60 * 60;

export interface ClaimParts {
  readonly records: Records;
  readonly tokens: Tokens;
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
 * Gives a chunk to the caller and takes it away from whoever had it; tells when nothing is left to do.
 * Errors: `ingest.unauthorized`, `ingest.title-gone`.
 */
export async function claimChunk({ records, tokens }: ClaimParts, ref: ChunkRef, grant: string): Promise<Claim> {
  await authorizeClaim(tokens, ref, grant);
  const { chunk } = await resolveChunk(records, ref);
  const segments = (await chunkReceipts(records, ref)).filter((receipt) => receipt.number !== INIT_NUMBER);
  if (segments.length === chunk.tracks.length * chunk.segments) return { state: "complete" };

  const claim = await takeClaim(records, ref);
  if (claim.state === "title-gone")
    throw new PipelineError("ingest.title-gone", `title ${ref.title} is not being encoded any more`);
  const token = await tokens.sign("ingest", { ...ref, attempt: claim.attempt }, TOKEN_SECONDS);
  return { state: "open", attempt: claim.attempt, token };
}
