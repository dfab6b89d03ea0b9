import {
  type ChunkId,
  type Ingest,
  type IngestTarget,
  PipelineError,
  type PlanId,
  type TitleId,
} from "@gakuen/contracts";
import type { Log, Tokens } from "@gakuen/platform";
import type { Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { z } from "zod";
import { claimChunk, resolveChunk } from "./claim-chunk.ts";
import { receiveTrack } from "./receive-track.ts";

export interface KaikeishiDeps {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly tokens: Tokens;
  readonly log: Log;
}

const tokenClaims = z.object({
  title: z.string(),
  plan: z.string(),
  chunk: z.string(),
  attempt: z.number().int().positive(),
});

/** The accountant: takes encoded media, stores it, and writes the receipts. Holds no state of its own. */
export function createKaikeishi(deps: KaikeishiDeps): Ingest {
  return {
    claim: (ref, grant) => claimChunk(deps, ref, grant),
    async put(target, token, body, signal) {
      const attempt = await authorize(deps.tokens, target, token);
      const ref = { title: target.title, plan: target.plan, chunk: target.chunk };
      const { plan, chunk } = await resolveChunk(deps.records, ref);
      const track = plan.tracks.find((candidate) => candidate.id === target.track);
      if (!track || !chunk.tracks.includes(track.id))
        throw new PipelineError("ingest.mismatch", `chunk ${target.chunk} does not make track ${target.track}`);
      const log = deps.log.child({ ...ref, attempt });
      return receiveTrack({ ...deps, log }, { ref, attempt }, track, chunk, body, signal);
    },
  };
}

async function authorize(tokens: Tokens, target: IngestTarget, token: string): Promise<number> {
  const claims = tokenClaims.safeParse(await tokens.verify("ingest", token));
  const named: { title: TitleId; plan: PlanId; chunk: ChunkId } = target;
  if (
    !claims.success ||
    claims.data.title !== named.title ||
    claims.data.plan !== named.plan ||
    claims.data.chunk !== named.chunk
  )
    throw new PipelineError("ingest.unauthorized", `the token is not for chunk ${target.chunk} of ${target.title}`);
  return claims.data.attempt;
}
