import { PipelineError } from "@gakuen/contracts";

export function notFound(key: string): PipelineError {
  return new PipelineError("store.not-found", `There is no object ${key} in the store`);
}

/** For a put that found an object which was then not there to be told about. */
export function vanished(key: string): PipelineError {
  return new PipelineError("store.unavailable", `The object ${key} was there and is gone again; put it once more`);
}
