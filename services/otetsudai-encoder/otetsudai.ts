import type { Ingest } from "@gakuen/contracts";
import { PipelineError } from "@gakuen/contracts";
import type { Engine, WorkerHandle } from "@gakuen/engine";
import type { Tools } from "@gakuen/ffmpeg";
import type { Log } from "@gakuen/platform";
import { encodeChunk } from "./encode-chunk.ts";

export interface OtetsudaiDeps {
  readonly engine: Engine;
  readonly ingest: Ingest;
  readonly tools: Tools;
  readonly log: Log;
  /** Chunks encoded at the same time. */
  readonly slots: number;
}

/** The helper: takes chunks from the queue as it has free slots. Needs the queue and the uploader, nothing else. */
export function startOtetsudai({ engine, ingest, tools, log, slots }: OtetsudaiDeps): WorkerHandle {
  return engine.workEncode(
    async (job, { signal, attempt, hurry, report }) => {
      try {
        await encodeChunk(job, { ingest, tools, log }, { signal, hurry, report });
      } catch (error) {
        const code = error instanceof PipelineError ? error.code : "internal";
        log.warn({ ...job.ref, delivery: attempt, code, err: error }, "chunk not finished");
        throw error;
      }
    },
    { slots },
  );
}
