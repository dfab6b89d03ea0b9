import { PipelineError } from "@gakuen/contracts";

/** An object in a store, as `s3://bucket/key` with the same query as a store's URL names it. */
export interface ObjectAddress {
  /** Canonical: two ways to write the same give the same. */
  readonly url: string;
  /** The bucket's store. */
  readonly storeUrl: string;
  readonly key: string;
}

/**
 * `s3://bucket/key`, with `?endpoint=…&region=…` as in the URL of a store. `?`, `#` and `%` in a key are written %3F,
 * %23 and %25. Errors: `usage.invalid`.
 */
export function parseObjectAddress(text: string): ObjectAddress {
  const url = URL.parse(text);
  const key = url && decoded(url.pathname.slice(1));
  if (!url?.host || !key || key.endsWith("/"))
    throw new PipelineError("usage.invalid", `${text} names no object; write s3://bucket/folder/film.mp4`);
  if (url.hash !== "")
    throw new PipelineError("usage.invalid", `${text} has a "#"; where that belongs to the key, write %23`);
  return objectIn(`s3://${url.host}${url.search}`, key);
}

/** The object `key` of a bucket's store. */
export function objectIn(storeUrl: string, key: string): ObjectAddress {
  const { host, search } = new URL(storeUrl);
  return { url: `s3://${host}/${encoded(key)}${search}`, storeUrl, key };
}

export const isObjectUrl = (text: string): boolean => /^s3:\/\//i.test(text);

/**
 * The object's plain web address, without any right to read it: what a title shows as its source. As the AWS tools do,
 * it takes the endpoint from the environment where the URL names none.
 */
export function plainUrl({ url, key }: ObjectAddress, env: NodeJS.ProcessEnv = process.env): string {
  const { host, searchParams } = new URL(url);
  const endpoint = searchParams.get("endpoint") ?? env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"];
  const region = searchParams.get("region");
  const base = endpoint
    ? `${endpoint.replace(/\/+$/, "")}/${host}`
    : `https://${host}.s3.${region ? `${region}.` : ""}amazonaws.com`;
  return `${base}/${encoded(key)}`;
}

const encoded = (key: string): string => key.split("/").map(encodeURIComponent).join("/");

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
