import { S3Client } from "@aws-sdk/client-s3";
import { ATTEMPTS, requestTimeout } from "./request-timeout.ts";
import type { S3Location } from "./s3-location.ts";

const CONNECT_MS = 2000;
/**
 * A client for an S3 store; credentials come from the SDK's standard chain. `idleTimeout`, in milliseconds, ends a
 * request whose socket neither sends nor receives: right for uploads, wrong for bodies whose reader may pause.
 */
export function createS3Client(
  { endpoint, region, pathStyle }: S3Location,
  { idleTimeout = 0 }: { readonly idleTimeout?: number } = {},
): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: pathStyle,
    // Checksums in trailers, the default, are Amazon's; other stores keep them as content or refuse them.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // With random waits that double from 100 ms.
    retryMode: "standard",
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: requestTimeout(),
      throwOnRequestTimeout: true,
      socketTimeout: idleTimeout,
      // Requests are limited elsewhere; a body that is read slowly must not keep another request from its socket.
      httpAgent: { maxSockets: 1024 },
      httpsAgent: { maxSockets: 1024 },
    },
  });
}
