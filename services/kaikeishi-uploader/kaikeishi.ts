import { type Ingest, PipelineError } from "@gakuen/contracts";
import type { Log, Tokens } from "@gakuen/platform";
import type { Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { authorizePut } from "./authorize.ts";
import { claimChunk, resolveChunk } from "./claim-chunk.ts";
import { receiveTrack } from "./receive-track.ts";

export interface KaikeishiDeps {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly tokens: Tokens;
  readonly log: Log;
  /** How long store and database may be away before a chunk is given back; 30 s by default. */
  readonly patienceMs?: number;
}

/** The accountant: takes encoded media, stores it, and writes the receipts. Holds no state of its own. */
export function createKaikeishi(deps: KaikeishiDeps): Ingest {
  return {
    claim: (ref, grant) => claimChunk(deps, ref, grant),
    async put(target, token, body, signal) {
      const ref = { title: target.title, plan: target.plan, chunk: target.chunk };
      const attempt = await authorizePut(deps.tokens, ref, token);
      const { plan, chunk } = await resolveChunk(deps.records, ref);
      const track = plan.tracks.find((candidate) => candidate.id === target.track);
      if (!track || !chunk.tracks.includes(track.id))
        throw new PipelineError("ingest.mismatch", `chunk ${target.chunk} does not make track ${target.track}`);
      const log = deps.log.child({ ...ref, attempt });
      return receiveTrack({ ...deps, log }, { ref, attempt }, track, chunk, body, signal);
    },
  };
}
