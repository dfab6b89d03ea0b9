import { toPipelineError } from "@gakuen/contracts";
import type { Engine, WorkerHandle } from "@gakuen/engine";
import { type EncodeParts, encodeChunk } from "./encode-chunk.ts";
import { Front } from "./front.ts";

export interface OtetsudaiDeps extends Omit<EncodeParts, "front"> {
  readonly engine: Engine;
  /** Chunks encoded at the same time. */
  readonly slots: number;
}

/** The helper: takes chunks from the queue as it has free slots. Needs the queue and the uploader, nothing else. */
export function startOtetsudai(deps: OtetsudaiDeps): WorkerHandle {
  const { engine, log, slots } = deps;
  const parts = { ...deps, front: new Front() };
  return engine.workEncode(
    async (job, { signal, attempt, hurry, onWanted, report }) => {
      try {
        await encodeChunk(job, parts, { signal, hurry, onWanted, report });
      } catch (error) {
        const { code, message } = toPipelineError(error);
        const facts = { ...job.ref, delivery: attempt, code };
        if (signal.aborted) log.info(facts, `chunk put down: ${message}`);
        else log.warn({ ...facts, err: error }, "chunk not finished");
        throw error;
      }
    },
    { slots },
  );
}
