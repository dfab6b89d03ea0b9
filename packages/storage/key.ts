import { PipelineError } from "@gakuen/contracts";

/** Stores keep what they are still writing under this name, so no key begins with it. */
export const INCOMING = ".incoming";

const MAX_KEY_BYTES = 1024;
/** What one name of a path may have in the usual file systems. */
const MAX_NAME_BYTES = 255;

/** Why `key` is not a key; undefined if it is one. */
function keyFault(key: string): string | undefined {
  if (key === "") return "it is empty";
  if (!key.isWellFormed()) return "it is not well-formed Unicode";
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  // XML 1.0 §2.2, in which S3 and Azure list their keys, has no way to write them.
  if (/[\p{Cc}\ufffe\uffff]/u.test(key)) return "it has a control character";
  if (key.includes("\\")) return "it has a backslash";
  if (key.startsWith("/")) return "it begins with a slash";
  const names = key.split("/");
  if (names.includes("")) return "it has an empty name between or after slashes";
  if (names.includes(".") || names.includes("..")) return 'it has "." or ".." as a name';
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) {
    return `a name between slashes is longer than ${MAX_NAME_BYTES} bytes`;
  }
  if (names[0] === INCOMING) return `"${INCOMING}" belongs to the store itself`;
  return undefined;
}

function refuse(kind: string, text: string, fault: string): never {
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  throw new PipelineError("usage.invalid", `${JSON.stringify(shown)} is not an object ${kind}: ${fault}`);
}

/**
 * Demands a key that every adapter takes: 1 to 1024 bytes of UTF-8, names of 1 to 255 bytes joined by "/", none of
 * them "." or "..", no leading slash, backslash or control character, not under `.incoming`. Errors: `usage.invalid`.
 */
export function checkKey(key: string): void {
  const fault = keyFault(key);
  if (fault !== undefined) refuse("key", key, fault);
}

/** Demands a prefix that some key can have: empty, or a key with or without a slash at its end. */
export function checkPrefix(prefix: string): void {
  if (prefix === "") return;
  const fault = keyFault(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
  if (fault !== undefined) refuse("prefix", prefix, fault);
}

/** {@link checkPrefix} for what removes: the empty prefix, which is everything, is refused too. */
export function checkPrefixToDelete(prefix: string): void {
  if (prefix === "") refuse("prefix to delete", prefix, "the empty prefix would delete the whole store");
  checkPrefix(prefix);
}

/** Compares keys by their UTF-8 bytes, the order in which stores list them. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
