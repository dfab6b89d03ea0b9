import { S3Client } from "@aws-sdk/client-s3";
import type { S3Location } from "./s3-location.ts";

const CONNECT_MS = 2000;
/** What a request may take that sends next to nothing. */
const REQUEST_MS = 3000;
/** The slowest way to the store that is taken for working: 1 MiB/s for each of the requests at a time. */
const BYTES_PER_MS = 1024 * 1.024;
/** Ceph deletes some 200 objects a second, others more. */
const DELETE_MS = 10;

/** How long one attempt at a request may take until its answer begins, in milliseconds. */
export function requestTimeout({ bytes = 0, deletes = 0 }: { bytes?: number; deletes?: number } = {}): number {
  return Math.ceil(REQUEST_MS + bytes / BYTES_PER_MS + deletes * DELETE_MS);
}

/** A client for an S3 store; credentials come from the SDK's standard chain. */
export function createS3Client({ endpoint, region, pathStyle }: S3Location): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: pathStyle,
    // Checksums in trailers, the default, are Amazon's; other stores keep them as content or refuse them.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // The first and two more, with random waits that double from 100 ms.
    retryMode: "standard",
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: requestTimeout(),
      throwOnRequestTimeout: true,
      // Requests are limited elsewhere; a body that is read slowly must not keep another request from its socket.
      httpAgent: { maxSockets: 1024 },
      httpsAgent: { maxSockets: 1024 },
    },
  });
}
