import { type ErrorCode, errorKinds, PipelineError } from "@gakuen/contracts";

/** A failed job's reason is one text: the code, a colon, the message. */
export function writeReason(error: PipelineError): string {
  return `${error.code}: ${error.message}`;
}

/** What a reason says; one that was not written by {@link writeReason} (the queue has some of its own) is `internal`. */
export function readReason(reason: string): PipelineError {
  const [, code = "", message = ""] = /^([a-z.-]+): ([\s\S]*)$/.exec(reason) ?? [];
  return code in errorKinds ? new PipelineError(code as ErrorCode, message) : new PipelineError("internal", reason);
}
