import { RestError } from "@azure/storage-blob";
import { type ErrorCode, PipelineError } from "@gakuen/contracts";
import type { AzureLocation } from "./azure-location.ts";

/** HTTP status and Azure's own code of an answer; undefined when there was none. */
export function azureAnswer(error: unknown): { readonly status: number; readonly code: string } | undefined {
  if (!(error instanceof RestError) || error.statusCode === undefined) return undefined;
  // Answers to HEAD tell the code only in a header.
  const code = error.response?.headers.get("x-ms-error-code") ?? error.code ?? "";
  return { status: error.statusCode, code };
}

/** Neither the object nor, as far as the answer says, the lack of a container. */
export function isNoSuchBlob(error: unknown): boolean {
  const answer = azureAnswer(error);
  return answer?.status === 404 && answer.code !== "ContainerNotFound";
}

/** A put that should not replace and found an object (Azure says 409 or 412). */
export function isThere(error: unknown): boolean {
  const answer = azureAnswer(error);
  return answer?.code === "BlobAlreadyExists" || answer?.code === "ConditionNotMet";
}

type Explained = readonly [ErrorCode, string];

const wrongKey: Explained = ["config.invalid", "the store does not accept the account's key; check AZURE_STORAGE_KEY"];
const forbidden: Explained = ["config.invalid", "the account's key (AZURE_STORAGE_KEY) or its rules do not allow it"];

const byCode: Readonly<Record<string, Explained>> = {
  AuthenticationFailed: wrongKey,
  AuthorizationFailure: forbidden,
  AuthorizationPermissionMismatch: forbidden,
  InvalidBlockList: ["store.unavailable", "another upload of the same key was completed meanwhile"],
  AccountIsDisabled: ["config.invalid", "the account is disabled"],
};

function explanation(error: Error, location: AzureLocation): Explained | undefined {
  const answer = azureAnswer(error);
  if (answer === undefined) return undefined;
  if (answer.status === 404) {
    const place = `${location.endpoint}/${location.container}`;
    return ["config.invalid", `there is no container at ${place}; make it or correct its name`];
  }
  if (answer.status === 401 || answer.status === 403) return byCode[answer.code] ?? forbidden;
  return byCode[answer.code];
}

/** A failed call of the SDK in the port's terms; `doing` says what, for instance "store titles/a". */
export function azureError(error: unknown, doing: string, location: AzureLocation): unknown {
  if (error instanceof PipelineError || !(error instanceof Error)) return error;
  const [code, why] = explanation(error, location) ?? ["store.unavailable", undefined];
  const answer = azureAnswer(error);
  const said = answer === undefined ? error.message : `${answer.code}, ${answer.status}`;
  const where = `in container ${location.container} at ${location.endpoint}`;
  return new PipelineError(code, `Could not ${doing} ${where}: ${why === undefined ? said : `${why} (${said})`}`, {
    cause: error,
  });
}
