import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Readable } from "node:stream";
import { checkKey, checkPrefix, checkPrefixToDelete, INCOMING } from "./key.ts";
import { KeyTurns } from "./key-turns.ts";
import { vanished } from "./not-found.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PresignOptions, PutOnce, PutOptions } from "./port.ts";
import { checkExpiry } from "./presign-expiry.ts";
import { readObject } from "./read-object.ts";
import { requestTimeout } from "./request-timeout.ts";
import { canPutIfAbsent } from "./s3-conditional.ts";
import { deleteObjects } from "./s3-delete.ts";
import { isConditionFailed, isNoSuchObject, s3Answer } from "./s3-errors.ts";
import { type S3Location, s3Location } from "./s3-location.ts";
import { S3Multipart } from "./s3-multipart.ts";
import { S3Requests } from "./s3-requests.ts";
import { receiveBody } from "./send-parts.ts";

interface Described {
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
}

function describe(key: string, bytes: number, { ETag = "", LastModified = new Date() }: Described): ObjectInfo {
  return { key, bytes, etag: ETag.replaceAll('"', ""), modified: LastModified };
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isNoSuchObject(error)) throw error;
}

class S3Store implements ObjectStore {
  readonly #requests: S3Requests;
  readonly #turns = new KeyTurns();
  readonly #conditional: () => Promise<boolean>;

  constructor(requests: S3Requests, conditional: () => Promise<boolean>) {
    this.#requests = requests;
    this.#conditional = conditional;
  }

  async put(key: string, body: ObjectBody, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    return await receiveBody(this.#requests.gate, body, options.signal, async (incoming) => {
      const { first } = incoming;
      if (first.last) return await this.#putWhole(key, first.bytes, options);
      await using upload = await S3Multipart.begin(this.#requests, key, options);
      const bytes = await upload.send(incoming);
      const ETag = await upload.complete(options.signal, { ifAbsent: false });
      return describe(key, bytes, { ETag });
    });
  }

  async putIfAbsent(key: string, body: ObjectBody, options: PutOptions = {}): Promise<PutOnce> {
    checkKey(key);
    return await receiveBody(this.#requests.gate, body, options.signal, async (incoming) => {
      const { first } = incoming;
      const conditional = await this.#conditional();
      if (first.last && conditional) return await this.#putOnce(key, first.bytes, options);
      if (first.last) {
        return await this.#unlessThere(key, async () => await this.#putWhole(key, first.bytes, options));
      }
      await using upload = await S3Multipart.begin(this.#requests, key, options);
      const bytes = await upload.send(incoming);
      return await this.#unlessThere(key, async () => {
        const ETag = await upload.complete(options.signal, { ifAbsent: conditional });
        return ETag === undefined ? undefined : describe(key, bytes, { ETag });
      });
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; body: Readable }> {
    return await readObject(this, key, options, async (wanted) => {
      const command = new GetObjectCommand({
        ...this.#requests.object(key),
        // Here the end is the last byte, or left open.
        ...(wanted && { Range: `bytes=${wanted.start}-${wanted.end === Infinity ? "" : wanted.end - 1}` }),
      });
      const answer = await this.#requests.send(`read ${key}`, { signal: options.signal }, (http) =>
        this.#requests.client.send(command, http).catch((error: unknown) => {
          if (s3Answer(error)?.status === 416) return "no such range" as const;
          return undefinedIfAbsent(error);
        }),
      );
      if (answer === undefined || answer === "no such range") return answer;
      return {
        body: answer.Body as Readable,
        contentRange: answer.ContentRange,
        contentLength: answer.ContentLength,
        describe: (bytes) => describe(key, bytes, answer),
      };
    });
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    checkKey(key);
    const answer = await this.#requests.send(`look up ${key}`, {}, (http) =>
      this.#requests.client.send(new HeadObjectCommand(this.#requests.object(key)), http).catch(undefinedIfAbsent),
    );
    return answer && describe(key, answer.ContentLength ?? 0, answer);
  }

  async presignGet(key: string, options: PresignOptions): Promise<string> {
    checkKey(key);
    checkExpiry(options);
    const command = new GetObjectCommand({
      ...this.#requests.object(key),
      ...(options.contentType === undefined ? {} : { ResponseContentType: options.contentType }),
    });
    return await getSignedUrl(this.#requests.client, command, { expiresIn: options.expiresSeconds });
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const { bucket, prefix: root } = this.#requests.location;
    let next: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: root + prefix,
        ...(next === undefined ? {} : { ContinuationToken: next }),
      });
      const page = await this.#requests.send(`list ${prefix}`, {}, (http) => this.#requests.client.send(command, http));
      for (const object of page.Contents ?? []) {
        const key = (object.Key ?? "").slice(root.length);
        if (!key.startsWith(`${INCOMING}/`)) yield describe(key, object.Size ?? 0, object);
      }
      next = page.NextContinuationToken;
    } while (next !== undefined);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#requests.send(`delete ${key}`, {}, (http) =>
      this.#requests.client.send(new DeleteObjectCommand(this.#requests.object(key)), http).catch(undefinedIfAbsent),
    );
  }

  async deletePrefix(prefix: string): Promise<number> {
    checkPrefixToDelete(prefix);
    return await deleteObjects(this.#requests, this.list(prefix));
  }

  async #putWhole(key: string, bytes: Uint8Array, options: PutOptions): Promise<ObjectInfo> {
    const object = await this.#putObject(key, bytes, options, {});
    return describe(key, bytes.byteLength, object ?? {});
  }

  /** Undefined when the condition was not met. */
  async #putObject(
    key: string,
    bytes: Uint8Array,
    { contentType, signal }: PutOptions,
    condition: { readonly IfNoneMatch?: "*" },
  ): Promise<Described | undefined> {
    const command = new PutObjectCommand({
      ...this.#requests.object(key),
      ...condition,
      Body: bytes,
      ContentLength: bytes.byteLength,
      ...(contentType === undefined ? {} : { ContentType: contentType }),
    });
    const timeout = requestTimeout({ bytes: bytes.byteLength });
    return await this.#requests.send(`store ${key}`, { signal, timeout }, async (http) => {
      try {
        const { ETag } = await this.#requests.uploads.send(command, http);
        return { ETag };
      } catch (error) {
        if (condition.IfNoneMatch !== undefined && isConditionFailed(error)) return undefined;
        throw error;
      }
    });
  }

  /** Lets the store decide who is first. */
  async #putOnce(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOnce> {
    for (;;) {
      const object = await this.#putObject(key, bytes, options, { IfNoneMatch: "*" });
      if (object !== undefined) return { stored: true, object: describe(key, bytes.byteLength, object) };
      const winner = await this.stat(key);
      // Deleted since, or the other put is still under way: the place may be free again.
      if (winner !== undefined) return { stored: false, object: winner };
      options.signal?.throwIfAborted();
    }
  }

  /**
   * Where the store does not decide: looks, then puts. In one process exactly one is first; of several processes that
   * look before any has put, each is told that it was, and the object of the last one stays.
   */
  async #unlessThere(key: string, put: () => Promise<ObjectInfo | undefined>): Promise<PutOnce> {
    return await this.#turns.take(key, async () => {
      const there = await this.stat(key);
      if (there !== undefined) return { stored: false, object: there };
      const object = await put();
      if (object !== undefined) return { stored: true, object };
      const winner = await this.stat(key);
      if (winner === undefined) throw vanished(key);
      return { stored: false, object: winner };
    });
  }
}

/**
 * The store that an `s3:` or `gs:` URL names; see docs/storage.md for its form, credentials and permissions. Asks for
 * the bucket once, so that a wrong name, key or address is told now. `conditionalPut: false` does without the store's
 * own conditional put even if it has one. Errors: `config.invalid`, `store.unavailable`.
 */
export async function openS3Store(
  url: URL,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  { conditionalPut = true }: { readonly conditionalPut?: boolean } = {},
): Promise<ObjectStore> {
  const location: S3Location = s3Location(url, environment);
  const requests = new S3Requests(location);
  await requests.send("open the store", {}, (http) =>
    requests.client.send(new HeadBucketCommand({ Bucket: location.bucket }), http).catch((error: unknown) => {
      // The answer to HEAD has no body that could say so.
      if (isNoSuchObject(error)) throw Object.assign(error as Error, { name: "NoSuchBucket" });
      throw error;
    }),
  );
  return new S3Store(requests, conditionalPut ? canPutIfAbsent(requests) : async () => false);
}
