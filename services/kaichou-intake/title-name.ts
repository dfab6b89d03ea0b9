import { randomInt } from "node:crypto";
import { basename, extname } from "node:path";
import type { SourceAddress, TitleId } from "@gakuen/contracts";

/** What a title is called when nobody says: the source's file name without its ending. */
export function nameFromSource(source: SourceAddress): string {
  const file = basename(source.kind === "file" ? source.path : decoded(new URL(source.url).pathname));
  return file.slice(0, file.length - extname(file).length).trim() || "untitled";
}

/** A per cent sign in a URL need not begin an escape: `100%.mp4`. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

/** A readable id that nobody else has: the name's letters and digits, then six random ones (no l, o, 0, 1). */
export function newTitleId(name: string): TitleId {
  const slug = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  const tail = Array.from({ length: 6 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return `${slug || "title"}-${tail}` as TitleId;
}
