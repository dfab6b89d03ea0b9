import { type SourceAddress, sourcePath, type TitleId } from "@gakuen/contracts";
import type { Tokens } from "@gakuen/platform";
import { isObjectUrl, type ObjectAddress, parseObjectAddress } from "./object-address.ts";
import { bucketOpener } from "./open-objects.ts";
import { parseSource } from "./source-address.ts";

/** As long as a chunk may wait in a long queue; a retry of the title makes new ones. */
const SOURCE_TOKEN_SECONDS = 30 * 24 * 60 * 60;

/** The longest that S3 allows. */
const LONGEST_PRESIGNED_SECONDS = 7 * 24 * 60 * 60;

/** The address at which encoders read a title's source; `object` where it is one, which they have no right to read. */
export type EncoderAddress = (title: TitleId, source: SourceAddress, object?: ObjectAddress) => Promise<SourceAddress>;

const openBucket = bucketOpener();

/**
 * Encoders in the same process read local files in place. Without an HTTP server, objects are read by a URL that is good
 * for a week.
 */
export const sourceInPlace: EncoderAddress = (_title, source, object) => inPlace(source, object);

async function inPlace(source: SourceAddress, object?: ObjectAddress): Promise<SourceAddress> {
  const bucket = object && (await openBucket(object.storeUrl));
  const url = await bucket?.presignGet(object?.key ?? "", { expiresSeconds: LONGEST_PRESIGNED_SECONDS });
  return url === undefined ? source : { kind: "http", url };
}

/**
 * What a person wrote ({@link parseSource}), as an address that this process can read by itself at once.
 * Errors: `usage.invalid`, `config.invalid`, `store.unavailable`.
 */
export async function readableAddress(text: string): Promise<SourceAddress> {
  return inPlace(parseSource(text), isObjectUrl(text) ? parseObjectAddress(text) : undefined);
}

/**
 * Encoders on other machines have no right to any store and see no folder of ours: they read files and objects from us,
 * by a signed address that is good for 30 days and leads on to wherever the source lies at that moment.
 */
export function sourceFromKaichou(tokens: Tokens, baseUrl: () => string): EncoderAddress {
  return async (title, source, object) =>
    source.kind === "http" && !object ? source : { kind: "http", url: await sourceUrl(tokens, baseUrl(), title) };
}

/** Encoders in the same process as a Kaichou that listens: files in place, objects from it. */
export function sourceNearby(tokens: Tokens, baseUrl: () => string): EncoderAddress {
  return async (title, source, object) =>
    object ? { kind: "http", url: await sourceUrl(tokens, baseUrl(), title) } : source;
}

/** A title's source as the Kaichou at `baseUrl` gives it. */
export async function sourceUrl(tokens: Tokens, baseUrl: string, title: TitleId): Promise<string> {
  const url = new URL(sourcePath(title), baseUrl);
  url.searchParams.set("token", await tokens.sign("source", { title }, SOURCE_TOKEN_SECONDS));
  return url.href;
}
