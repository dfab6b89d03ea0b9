import { toPipelineError, toProblem } from "@gakuen/contracts";

/** Writes an error to stderr, for people or (with `--json`) as a problem document, and returns the exit code. */
export function tellError(thrown: unknown, json: boolean): number {
  const error = toPipelineError(thrown);
  if (json) process.stderr.write(`${JSON.stringify(toProblem(error))}\n`);
  else {
    process.stderr.write(`gakuen: ${error.message} [${error.code}]\n`);
    // A defect of ours: the stack is what a report needs.
    if (error.code === "internal") process.stderr.write(`${stackOf(error.cause ?? error)}\n`);
  }
  return error.exitCode;
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
