import { type ChunkRef, PipelineError } from "@gakuen/contracts";
import type { Tokens } from "@gakuen/platform";
import { z } from "zod";

const chunkClaims = { title: z.string(), plan: z.string(), chunk: z.string() };

/** What a job's grant proves: its bearer may claim this chunk. */
const grantClaims = z.object(chunkClaims);
/** What a claim's token proves: its bearer is this attempt at the chunk. */
const attemptClaims = z.object({ ...chunkClaims, attempt: z.number().int().positive() });

/** Errors: `ingest.unauthorized` unless the grant is for this chunk. */
export async function authorizeClaim(tokens: Tokens, ref: ChunkRef, grant: string): Promise<void> {
  const claims = grantClaims.safeParse(await tokens.verify("grant", grant));
  demandSameChunk("grant", ref, claims.data);
}

/** The attempt that a token names. Errors: `ingest.unauthorized` unless the token is for this chunk. */
export async function authorizePut(tokens: Tokens, ref: ChunkRef, token: string): Promise<number> {
  const claims = attemptClaims.safeParse(await tokens.verify("ingest", token));
  return demandSameChunk("token", ref, claims.data).attempt;
}

/** `claims` is undefined where what was signed is of another shape. */
function demandSameChunk<T extends z.infer<typeof grantClaims>>(what: string, ref: ChunkRef, claims: T | undefined): T {
  if (claims && claims.title === ref.title && claims.plan === ref.plan && claims.chunk === ref.chunk) return claims;
  throw new PipelineError("ingest.unauthorized", `the ${what} is not for chunk ${ref.chunk} of ${ref.title}`);
}
