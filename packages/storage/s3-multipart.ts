import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { BodyPart } from "./body-parts.ts";
import type { PutOptions } from "./port.ts";
import { requestTimeout } from "./request-timeout.ts";
import { isConditionFailed } from "./s3-errors.ts";
import type { S3Requests } from "./s3-requests.ts";
import { type IncomingBody, sendParts } from "./send-parts.ts";

/** Stores that put the object together from its parts only now need a while. */
const COMPLETE_MS = 30_000;

/** An object on its way in parts. Unless it is completed its end removes what was sent. */
export class S3Multipart implements AsyncDisposable {
  readonly #requests: S3Requests;
  readonly #key: string;
  readonly #upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
  readonly #sent: CompletedPart[] = [];
  #completed = false;

  private constructor(requests: S3Requests, key: string, uploadId: string) {
    this.#requests = requests;
    this.#key = key;
    this.#upload = { ...requests.object(key), UploadId: uploadId };
  }

  static async begin(requests: S3Requests, key: string, { contentType, signal }: PutOptions): Promise<S3Multipart> {
    const { UploadId } = await requests.send(`store ${key}`, { signal }, (http) =>
      requests.client.send(
        new CreateMultipartUploadCommand({
          ...requests.object(key),
          ...(contentType === undefined ? {} : { ContentType: contentType }),
        }),
        http,
      ),
    );
    return new S3Multipart(requests, key, UploadId ?? "");
  }

  /** Sends all parts of the body and gives their number of bytes. */
  async send(incoming: IncomingBody): Promise<number> {
    return await sendParts(incoming, (part, signal) => this.#sendPart(part, signal));
  }

  async #sendPart(part: BodyPart, signal: AbortSignal): Promise<void> {
    const timeout = requestTimeout({ bytes: part.bytes.byteLength });
    const { ETag } = await this.#requests.send(`store ${this.#key}`, { signal, timeout }, (http) =>
      this.#requests.uploads.send(
        new UploadPartCommand({ ...this.#upload, PartNumber: part.number, Body: part.bytes }),
        http,
      ),
    );
    this.#sent.push({ PartNumber: part.number, ...(ETag === undefined ? {} : { ETag }) });
  }

  /**
   * Makes the parts one object and gives its etag; undefined if, with `ifAbsent`, there is one already. Not every store
   * that has conditional puts has this condition (Ceph 18 ignores it).
   */
  async complete(signal: AbortSignal | undefined, { ifAbsent }: { ifAbsent: boolean }): Promise<string | undefined> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#upload,
      MultipartUpload: { Parts: this.#sent.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0)) },
      ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
    });
    const answer = await this.#requests.send(`store ${this.#key}`, { signal, timeout: COMPLETE_MS }, (http) =>
      this.#requests.client.send(command, http).catch((error: unknown) => {
        if (ifAbsent && isConditionFailed(error)) return undefined;
        throw error;
      }),
    );
    this.#completed = answer !== undefined;
    return answer?.ETag;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#completed) return;
    // What cannot be removed now the bucket's rule for incomplete uploads removes.
    await this.#requests
      .send(`give up ${this.#key}`, {}, (http) =>
        this.#requests.client.send(new AbortMultipartUploadCommand(this.#upload), http),
      )
      .catch(() => {});
  }
}
