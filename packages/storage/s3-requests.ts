import type { S3Client } from "@aws-sdk/client-s3";
import { IDLE_MS, requestTimeout } from "./request-timeout.ts";
import { createS3Client } from "./s3-client.ts";
import { s3Error } from "./s3-errors.ts";
import type { S3Location } from "./s3-location.ts";
import { StoreGate } from "./store-gate.ts";

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of one attempt, in milliseconds. */
  readonly timeout?: number;
}

interface HttpOptions {
  readonly requestTimeout: number;
  readonly abortSignal?: AbortSignal;
}

/** The way to one S3 store: all requests go through one gate, and their errors are put into the port's terms. */
export class S3Requests {
  readonly client: S3Client;
  /** For what carries a body to the store. */
  readonly uploads: S3Client;
  readonly location: S3Location;
  readonly gate: StoreGate;

  constructor(location: S3Location) {
    this.location = location;
    this.client = createS3Client(location);
    this.uploads = createS3Client(location, { idleTimeout: IDLE_MS });
    this.gate = new StoreGate((error, doing) => s3Error(error, doing, location));
  }

  /** How the SDK's commands name an object. */
  object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.location.bucket, Key: this.location.prefix + key };
  }

  /**
   * Makes a request; `call` gets what the SDK's `send` takes and catches those refusals that are answers to it. `doing`
   * is for instance "store titles/a".
   */
  async send<T>(
    doing: string,
    { signal, timeout = requestTimeout() }: RequestOptions,
    call: (options: HttpOptions) => Promise<T>,
  ): Promise<T> {
    const http = { requestTimeout: timeout, ...(signal === undefined ? {} : { abortSignal: signal }) };
    return await this.gate.request(doing, signal, () => call(http));
  }
}
