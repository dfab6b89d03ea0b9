import { PipelineError, type SourceAddress } from "@gakuen/contracts";
import { statSourceFile } from "@gakuen/ffmpeg";
import type { SourceFacts, TitleRow } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { parseObjectAddress } from "./object-address.ts";
import type { OpenObjects } from "./open-objects.ts";

export interface LocateParts {
  readonly openObjects: OpenObjects;
  /** Base URL at which other Kaichous reach this very one; undefined where there are no others. */
  readonly ownUrl?: string | undefined;
}

/** A source that this Kaichou can read itself. */
interface Readable {
  readonly bytes: number;
  /** Names the content as far as its place can tell: length, and time of the last change or ETag. */
  readonly version: string;
}

/** Where a title's source is, seen from this Kaichou. */
export type Located =
  | ({ readonly at: "here"; readonly path: string } & Readable)
  | ({ readonly at: "object"; readonly store: ObjectStore; readonly key: string } & Readable)
  /** On the machine of another Kaichou. */
  | { readonly at: "elsewhere"; readonly owner: string }
  | { readonly at: "web"; readonly url: string };

export const fileVersion = (bytes: number, changedAt: number): string => `${bytes}-${changedAt}`;
export const objectVersion = ({ bytes, etag }: { readonly bytes: number; readonly etag: string }): string =>
  `${bytes}-${etag}`;

/**
 * Finds a title's source. A path means a file of the Kaichou that took it in; where another finds the very version that
 * was taken in under the same path (a shared folder), it reads it itself.
 *
 * Errors: `source.not-found`, `source.permission`, `source.not-media`, `store.unavailable`.
 */
export async function locateSource(parts: LocateParts, source: SourceAddress, facts: SourceFacts): Promise<Located> {
  if (facts.object !== null) {
    const { storeUrl, key } = parseObjectAddress(facts.object);
    const { store, info } = await parts.openObjects(storeUrl, key);
    return { at: "object", store, key, bytes: info.bytes, version: objectVersion(info) };
  }
  if (source.kind === "http") return { at: "web", url: source.url };
  const { path } = source;
  const { owner } = facts;
  if (owner === null || owner === parts.ownUrl) return fileHere(path);
  const same = facts.version === null ? undefined : await fileHere(path).catch(() => undefined);
  return same?.version === facts.version && same ? same : { at: "elsewhere", owner };
}

async function fileHere(path: string): Promise<Located & { at: "here" }> {
  const { size, changedAt } = await statSourceFile(path);
  return { at: "here", path, bytes: size, version: fileVersion(size, changedAt) };
}

/** Errors: `source.changed` when the source is not the one that was taken in or planned. */
export function demandUnchanged(name: string, facts: SourceFacts, version: string | null): void {
  if (!facts.firm || version === null || version === facts.version) return;
  throw new PipelineError(
    "source.changed",
    `${name} is not what it was when it was taken in (${facts.version} became ${version}): ` +
      "retry the title if the film in it is still the same, else remove the title and add the source again",
  );
}

/** A title's source as its owner wrote it. */
export const sourceName = (row: TitleRow, facts: SourceFacts): string =>
  facts.object ?? (row.source.kind === "file" ? row.source.path : row.source.url);
