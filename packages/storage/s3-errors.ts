import { S3ServiceException } from "@aws-sdk/client-s3";
import { type ErrorCode, PipelineError } from "@gakuen/contracts";
import type { S3Location } from "./s3-location.ts";

/** HTTP status and S3 code of a store's answer; undefined when there was none. */
export function s3Answer(error: unknown): { readonly status: number; readonly code: string } | undefined {
  if (!(error instanceof S3ServiceException)) return undefined;
  return { status: error.$metadata.httpStatusCode ?? 0, code: error.name };
}

/** Neither the object nor, as far as the answer says, the lack of a bucket. */
export function isNoSuchObject(error: unknown): boolean {
  const answer = s3Answer(error);
  return answer?.status === 404 && answer.code !== "NoSuchBucket";
}

/** A conditional put that found an object (412), or another such put under way (409). */
export function isConditionFailed(error: unknown): boolean {
  const answer = s3Answer(error);
  return answer?.status === 412 || (answer?.status === 409 && answer.code === "ConditionalRequestConflict");
}

type Explained = readonly [ErrorCode, string];

const wrongKey: Explained = [
  "config.invalid",
  "the store does not accept the credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
];
const forbidden: Explained = [
  "config.invalid",
  "the credentials do not allow it; docs/storage.md names the permissions that are needed",
];
const wrongRegion: Explained = [
  "config.invalid",
  "the bucket is in another region; give it as ?region=… or in AWS_REGION",
];
const full: Explained = ["store.full", "the store or its quota is full; free some space or give it more"];

const byCode: Readonly<Record<string, Explained>> = {
  InvalidAccessKeyId: wrongKey,
  SignatureDoesNotMatch: wrongKey,
  ExpiredToken: ["config.invalid", "the credentials have expired; renew them"],
  AccessDenied: forbidden,
  AllAccessDisabled: forbidden,
  RequestTimeTooSkewed: ["config.invalid", "the clocks of this machine and the store differ; set them right"],
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  InvalidBucketName: ["config.invalid", "the store does not allow such a name for a bucket"],
  KeyTooLongError: ["usage.invalid", "with the store's prefix the key is longer than the store allows"],
  QuotaExceeded: full,
  InsufficientStorage: full,
  XMinioStorageFull: full,
};

const byStatus: Readonly<Record<number, Explained>> = {
  301: wrongRegion,
  401: wrongKey,
  403: forbidden,
  405: ["config.invalid", "what answers at this address is no S3 store; check the endpoint"],
  507: full,
};

function explanation(error: Error, location: S3Location): Explained | undefined {
  if (error.name === "CredentialsProviderError") {
    return ["config.invalid", "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"];
  }
  if (error.message === "Region is missing") return ["config.invalid", "give a region as ?region=… or in AWS_REGION"];
  // Where an answer was looked for and something else came: a web page, another protocol.
  if (error instanceof SyntaxError || /deserialization error/i.test(error.message)) return byStatus[405];
  const answer = s3Answer(error);
  if (answer === undefined) return undefined;
  if (answer.code === "NoSuchBucket") {
    return [
      "config.invalid",
      `there is no bucket "${location.bucket}" at ${addressOf(location)}; make it or correct its name`,
    ];
  }
  return byCode[answer.code] ?? byStatus[answer.status];
}

function addressOf({ endpoint, region }: S3Location): string {
  return endpoint ?? `Amazon S3${region === undefined ? "" : ` in ${region}`}`;
}

/** A failed call of the SDK in the port's terms; `doing` says what, for instance "store titles/a". */
export function s3Error(error: unknown, doing: string, location: S3Location): unknown {
  if (error instanceof PipelineError || !(error instanceof Error)) return error;
  const [code, why] = explanation(error, location) ?? ["store.unavailable", undefined];
  const answer = s3Answer(error);
  const said = answer === undefined ? error.message || error.name : `${answer.code}, ${answer.status}`;
  const google = location.google ? "; gs:// speaks Google's S3 interface and is untested against the real service" : "";
  return new PipelineError(
    code,
    `Could not ${doing} in bucket ${location.bucket} at ${addressOf(location)}: ${why === undefined ? said : `${why} (${said})`}${google}`,
    { cause: error },
  );
}
