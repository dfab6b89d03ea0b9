import { type ErrorCode, PipelineError } from "@gakuen/contracts";

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Nothing is there under this path: neither it nor, where a folder should be, a folder. */
export function isAbsent(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** For `.catch`: what is not there is undefined, any other error stays one. */
export function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}

const full: readonly [ErrorCode, string] = ["store.full", "there is no space left; free some or give the store more"];
/** On a file system a name is an object or a folder of objects, not both. */
const clash: readonly [ErrorCode, string] = ["usage.invalid", "a key cannot be an object and a folder of others"];
const refused: readonly [ErrorCode, string] = ["store.unavailable", "the user that runs this may not write there"];

const known: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: full,
  EDQUOT: full,
  // mkdir(2) where a file has the name; link(2) handles its own.
  EEXIST: clash,
  ENOTDIR: clash,
  EISDIR: clash,
  EACCES: refused,
  EPERM: refused,
  EROFS: ["store.unavailable", "the file system is read-only"],
  EMFILE: ["store.unavailable", "this process has too many files open"],
  ENAMETOOLONG: ["usage.invalid", "the file system does not take a path of that length"],
};

/** A failed call of the file system in the port's terms; `doing` says what, for instance "store titles/a". */
export function fsError(error: unknown, doing: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const [code, why] = known[errnoOf(error) ?? ""] ?? ["store.unavailable", undefined];
  const said = error instanceof Error ? error.message : String(error);
  return new PipelineError(code, `Could not ${doing}: ${why === undefined ? said : `${why} (${said})`}`, {
    cause: error,
  });
}
