import { fromProblem, PipelineError, type SourceAddress } from "@gakuen/contracts";
import type { Tokens } from "@gakuen/platform";
import type { SourceFacts, TitleRow } from "@gakuen/records";
import { sourceUrl } from "./encoder-address.ts";
import { type LocateParts, locateSource, sourceName } from "./locate-source.ts";

/** Longer than any inspection takes. */
const PRESIGNED_SECONDS = 12 * 60 * 60;

export interface ReadableSource {
  readonly address: SourceAddress;
  /** Names the content; null where its place cannot tell. */
  readonly version: string | null;
}

/**
 * How this Kaichou itself reads a title's source now: in place, by a URL that was signed just now, or from the Kaichou
 * on whose machine it lies. The address is for this moment, not for a job.
 *
 * Errors: those of {@link locateSource}; `service.unreachable` when the other Kaichou is away.
 */
export async function readableSource(
  parts: LocateParts & { readonly tokens: Tokens },
  row: TitleRow,
  facts: SourceFacts,
  signal: AbortSignal,
): Promise<ReadableSource> {
  const located = await locateSource(parts, row.source, facts);
  if (located.at === "here") return { address: { kind: "file", path: located.path }, version: located.version };
  if (located.at === "web") return { address: { kind: "http", url: located.url }, version: null };
  if (located.at === "elsewhere") {
    const url = await sourceUrl(parts.tokens, located.owner, row.id);
    return { address: { kind: "http", url }, version: await versionAt(url, located.owner, signal) };
  }
  const url = await located.store.presignGet(located.key, { expiresSeconds: PRESIGNED_SECONDS });
  if (url !== undefined) return { address: { kind: "http", url }, version: located.version };
  throw new PipelineError("source.no-ranges", `${sourceName(row, facts)} lies in a store that signs no addresses`);
}

/** What the owner calls the content of a source. */
async function versionAt(url: string, owner: string, signal: AbortSignal): Promise<string | null> {
  const away = (cause?: unknown): PipelineError =>
    new PipelineError(
      "service.unreachable",
      `the Kaichou at ${owner}, on whose machine the source lies, does not answer; start it, or check its GAKUEN_KAICHOU_OWN_URL`,
      { cause },
    );
  const response = await fetch(url, { headers: { range: "bytes=0-0" }, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw away(error);
  });
  // 416: of an empty file nothing can be asked.
  if (!response.ok && response.status !== 416)
    throw fromProblem(await response.json().catch(() => undefined), away().message);
  await response.body?.cancel();
  const etag = response.headers.get("etag");
  return etag === null ? null : (JSON.parse(etag) as string);
}
