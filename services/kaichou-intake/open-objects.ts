import { PipelineError } from "@gakuen/contracts";
import { type ObjectInfo, type ObjectStore, openStore } from "@gakuen/storage";

/** Finds an object. Errors: `source.not-found`, `source.permission`, `usage.invalid`, `store.unavailable`. */
export type OpenObjects = (storeUrl: string, key: string) => Promise<{ store: ObjectStore; info: ObjectInfo }>;

/** Finds objects with the credentials of this process's environment. */
export function objectOpener(): OpenObjects {
  const open = bucketOpener();
  return async (storeUrl, key) => {
    try {
      const store = await open(storeUrl);
      const info = await store.stat(key);
      if (info !== undefined) return { store, info };
    } catch (error) {
      throw asSourceError(error, storeUrl);
    }
    throw new PipelineError("source.not-found", `the bucket ${bucketOf(storeUrl)} has no object ${key}`);
  };
}

/** Opens each store once. */
export function bucketOpener(): (storeUrl: string) => Promise<ObjectStore> {
  const opened = new Map<string, Promise<ObjectStore>>();
  return (storeUrl) => {
    const known = opened.get(storeUrl);
    if (known) return known;
    const opening = openStore(storeUrl).catch((error: unknown) => {
      opened.delete(storeUrl);
      throw error;
    });
    opened.set(storeUrl, opening);
    return opening;
  };
}

const bucketOf = (storeUrl: string): string => new URL(storeUrl).host;

/** What a store says to who wants to read there, as an error of a source: a store's own errors are about our setup. */
function asSourceError(error: unknown, storeUrl: string): unknown {
  if (!(error instanceof PipelineError) || error.code !== "config.invalid") return error;
  const { cause } = error;
  const name = cause instanceof Error ? cause.name : "";
  if (name === "NoSuchBucket")
    return new PipelineError("source.not-found", `there is no bucket ${bucketOf(storeUrl)}: ${error.message}`, {
      cause: error,
    });
  if (name === "CredentialsProviderError" || [401, 403].includes(httpStatus(cause)))
    return new PipelineError(
      "source.permission",
      `the bucket ${bucketOf(storeUrl)} may not be read with Kaichou's credentials: ${error.message}`,
      { cause: error },
    );
  return new PipelineError("usage.invalid", error.message, { cause: error });
}

/** Of an answer that the AWS SDK threw. */
function httpStatus(error: unknown): number {
  const { $metadata } = (error ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode ?? 0;
}
