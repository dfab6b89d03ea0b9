import { type ErrorCode, type TitleId, titleOfJobId } from "@gakuen/contracts";
import { readReason } from "./failure-reason.ts";
import { type JobKind, jobIdsOfTitle, queueNames, type Queues } from "./queues.ts";

/** A job that failed for good. */
export interface Failure {
  readonly kind: JobKind;
  readonly jobId: string;
  readonly title: TitleId;
  readonly code: ErrorCode;
  readonly message: string;
}

const kinds = ["prepare", "encode", "publish"] as const;

/** The queue fails a publish job itself when one of its chunks failed; the chunk's own failure says more. */
const ofChild = new RegExp(`^child (\\S+:)?${queueNames.encode}:`);

/** Everything that failed and was not cleared, oldest first per kind. */
export async function readFailures(queues: Queues): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const kind of kinds) {
    for (const job of await queues[kind].getJobs(["failed"], 0, -1, true)) {
      const jobId = job.id ?? "";
      if (ofChild.test(job.failedReason)) continue;
      const { code, message } = readReason(job.failedReason);
      failures.push({ kind, jobId, title: titleOfJobId(jobId), code, message });
    }
  }
  return failures;
}

export async function clearFailures(queues: Queues, title: TitleId): Promise<void> {
  for (const kind of kinds) {
    for (const id of await jobIdsOfTitle(queues[kind], title, ["failed"])) {
      await queues[kind].remove(id, { removeChildren: false });
    }
  }
}
