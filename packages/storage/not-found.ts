import { PipelineError } from "@gakuen/contracts";

export function notFound(key: string): PipelineError {
  return new PipelineError("store.not-found", `There is no object ${key} in the store`);
}
