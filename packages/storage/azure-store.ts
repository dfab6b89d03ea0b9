import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { BlobSASPermissions, type BlobRequestConditions } from "@azure/storage-blob";
import { isNoSuchBlob, isThere, azureAnswer } from "./azure-errors.ts";
import { azureLocation } from "./azure-location.ts";
import { AzureRequests } from "./azure-requests.ts";
import { checkKey, checkPrefix, checkPrefixToDelete, INCOMING } from "./key.ts";
import { vanished } from "./not-found.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PresignOptions, PutOnce, PutOptions } from "./port.ts";
import { checkExpiry } from "./presign-expiry.ts";
import { readObject } from "./read-object.ts";
import { type IncomingBody, receiveBody, sendParts } from "./send-parts.ts";

/** Deletes that wait for their turn at a time. */
const BATCH = 1000;
const ABSENT: BlobRequestConditions = { ifNoneMatch: "*" };

interface Described {
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

function describe(key: string, bytes: number, { etag = "", lastModified = new Date() }: Described): ObjectInfo {
  return { key, bytes, etag: etag.replaceAll('"', ""), modified: lastModified };
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isNoSuchBlob(error)) throw error;
}

class AzureStore implements ObjectStore {
  readonly #requests: AzureRequests;

  constructor(requests: AzureRequests) {
    this.#requests = requests;
  }

  async put(key: string, body: ObjectBody, options: PutOptions = {}): Promise<ObjectInfo> {
    const object = await this.#put(key, body, options, {});
    // Only conditions have it so.
    if (object === undefined) throw vanished(key);
    return object;
  }

  async putIfAbsent(key: string, body: ObjectBody, options: PutOptions = {}): Promise<PutOnce> {
    const object = await this.#put(key, body, options, ABSENT);
    if (object !== undefined) return { stored: true, object };
    const winner = await this.stat(key);
    if (winner === undefined) throw vanished(key);
    return { stored: false, object: winner };
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; body: Readable }> {
    return await readObject(this, key, options, async (wanted) => {
      const { start, end } = wanted ?? { start: 0, end: Infinity };
      const count = end === Infinity ? undefined : end - start;
      const answer = await this.#requests.send(`read ${key}`, options.signal, ({ abortSignal }) =>
        this.#requests
          .blob(key)
          .download(start, count, { abortSignal })
          .catch((error: unknown) => {
            if (azureAnswer(error)?.status === 416) return "no such range" as const;
            return undefinedIfAbsent(error);
          }),
      );
      if (answer === undefined || answer === "no such range") return answer;
      return {
        body: answer.readableStreamBody as Readable,
        contentRange: answer.contentRange,
        contentLength: answer.contentLength,
        describe: (bytes) => describe(key, bytes, answer),
      };
    });
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    checkKey(key);
    const answer = await this.#requests.send(`look up ${key}`, undefined, ({ abortSignal }) =>
      this.#requests.blob(key).getProperties({ abortSignal }).catch(undefinedIfAbsent),
    );
    return answer && describe(key, answer.contentLength ?? 0, answer);
  }

  async presignGet(key: string, options: PresignOptions): Promise<string> {
    checkKey(key);
    checkExpiry(options);
    return await this.#requests.blob(key).generateSasUrl({
      permissions: BlobSASPermissions.parse("r"),
      expiresOn: new Date(Date.now() + options.expiresSeconds * 1000),
      ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
    });
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const root = this.#requests.location.prefix;
    let next: string | undefined;
    do {
      const page = await this.#requests.send(`list ${prefix}`, undefined, async ({ abortSignal }) => {
        const pages = this.#requests.container
          .listBlobsFlat({ prefix: root + prefix, abortSignal })
          .byPage(next === undefined ? {} : { continuationToken: next });
        const { value } = await pages.next();
        return value;
      });
      for (const { name, properties } of page?.segment.blobItems ?? []) {
        const key = name.slice(root.length);
        if (!key.startsWith(`${INCOMING}/`)) yield describe(key, properties.contentLength ?? 0, properties);
      }
      next = page?.continuationToken || undefined;
    } while (next !== undefined);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#requests.send(`delete ${key}`, undefined, ({ abortSignal }) =>
      this.#requests.blob(key).delete({ abortSignal }).catch(undefinedIfAbsent),
    );
  }

  async deletePrefix(prefix: string): Promise<number> {
    checkPrefixToDelete(prefix);
    let count = 0;
    let deletes: Promise<void>[] = [];
    for await (const { key } of this.list(prefix)) {
      count += 1;
      deletes.push(this.delete(key));
      if (deletes.length < BATCH) continue;
      await Promise.all(deletes);
      deletes = [];
    }
    await Promise.all(deletes);
    return count;
  }

  /** Undefined when the condition was not met. */
  async #put(
    key: string,
    body: ObjectBody,
    options: PutOptions,
    conditions: BlobRequestConditions,
  ): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return await receiveBody(this.#requests.gate, body, options.signal, async (incoming) =>
      incoming.first.last
        ? await this.#putWhole(key, incoming.first.bytes, options, conditions)
        : await this.#putInBlocks(key, incoming, options, conditions),
    );
  }

  async #putWhole(
    key: string,
    bytes: Uint8Array,
    { contentType, signal }: PutOptions,
    conditions: BlobRequestConditions,
  ): Promise<ObjectInfo | undefined> {
    return await this.#requests.send(`store ${key}`, signal, async (options) => {
      const answer = await this.#requests
        .blob(key)
        .upload(bytes, bytes.byteLength, { ...options, conditions, ...headers(contentType) })
        .catch(undefinedIfThere);
      return answer && describe(key, bytes.byteLength, answer);
    });
  }

  /** Blocks that are never committed are not to be seen; Azure removes them after a week. */
  async #putInBlocks(
    key: string,
    incoming: IncomingBody,
    { contentType, signal }: PutOptions,
    conditions: BlobRequestConditions,
  ): Promise<ObjectInfo | undefined> {
    const upload = randomUUID();
    const blob = this.#requests.blob(key);
    const ids: string[] = [];
    const bytes = await sendParts(incoming, async (part, partSignal) => {
      // All ids of a blob must have the same length.
      const id = Buffer.from(`${upload}-${String(part.number).padStart(6, "0")}`).toString("base64");
      ids[part.number - 1] = id;
      await this.#requests.send(`store ${key}`, partSignal, (options) =>
        blob.stageBlock(id, part.bytes, part.bytes.byteLength, options),
      );
    });
    return await this.#requests.send(`store ${key}`, signal, async ({ abortSignal }) => {
      const answer = await blob
        .commitBlockList(ids, { abortSignal, conditions, ...headers(contentType) })
        .catch(undefinedIfThere);
      return answer && describe(key, bytes, answer);
    });
  }
}

function undefinedIfThere(error: unknown): undefined {
  if (!isThere(error)) throw error;
}

function headers(contentType: string | undefined): { blobHTTPHeaders?: { blobContentType: string } } {
  return contentType === undefined ? {} : { blobHTTPHeaders: { blobContentType: contentType } };
}

/**
 * The store that an `azure:` URL names; see docs/storage.md for its form and credentials. Asks for the container once,
 * so that a wrong name, key or address is told now. Errors: `config.invalid`, `store.unavailable`.
 */
export async function openAzureStore(
  url: URL,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ObjectStore> {
  const requests = new AzureRequests(azureLocation(url, environment));
  await requests.send("open the store", undefined, ({ abortSignal }) =>
    requests.container.getProperties({ abortSignal }),
  );
  return new AzureStore(requests);
}
