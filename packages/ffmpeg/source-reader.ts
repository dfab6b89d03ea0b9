import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { PipelineError, type SourceAddress } from "@gakuen/contracts";
import { openHttpSource, withoutQuery } from "./http-source.ts";

const MEBIBYTE = 1024 * 1024;

/** A source's bytes by range. */
export interface SourceReader {
  readonly size: number;
  /** Exactly the bytes that exist of [offset, offset + length): fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** `sha256:` and the hash over the size and the first, middle and last mebibyte of the content. */
  fingerprint(): Promise<string>;
}

/**
 * Opens a source for reading by range; nothing stays open between reads.
 * Errors: `source.not-found`, `source.permission`, `source.empty`, `source.not-media` (a folder, a device),
 * `source.unreachable`, `source.no-ranges`; later reads may also find `source.changed`.
 */
export async function openSource(
  address: SourceAddress,
  options: { readonly signal: AbortSignal },
): Promise<SourceReader> {
  const bytes =
    address.kind === "file" ? await openFile(address.path) : await openHttpSource(address.url, options.signal);
  if (bytes.size === 0) {
    const name = address.kind === "file" ? address.path : withoutQuery(address.url);
    throw new PipelineError("source.empty", `${name} is empty: it has no bytes`);
  }
  return { ...bytes, fingerprint: () => fingerprintOf(bytes) };
}

type Bytes = Omit<SourceReader, "fingerprint">;

async function openFile(path: string): Promise<Bytes> {
  const { size } = await statSourceFile(path);
  return { size, read: (offset, length) => readFileRange(path, offset, length) };
}

/**
 * Length and last change (milliseconds since 1970) of a file that can be a source.
 * Errors: `source.not-found`, `source.permission`, `source.not-media` (a folder, a device).
 */
export async function statSourceFile(path: string): Promise<{ readonly size: number; readonly changedAt: number }> {
  try {
    const facts = await stat(path);
    if (facts.isDirectory())
      throw new PipelineError("source.not-media", `${path} is a folder; name the file in it that shall be added`);
    if (!facts.isFile()) throw new PipelineError("source.not-media", `${path} is not a regular file`);
    await access(path, constants.R_OK);
    return { size: facts.size, changedAt: Math.floor(facts.mtimeMs) };
  } catch (error) {
    throw fileError(path, error);
  }
}

async function readFileRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const bytes = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } catch (error) {
    throw fileError(path, error);
  }
}

function fileError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new PipelineError("source.not-found", `there is no file ${path}`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    return new PipelineError("source.permission", `${path} may not be read by this user; change its permissions`, {
      cause: error,
    });
  return error;
}

async function fingerprintOf({ size, read }: Bytes): Promise<string> {
  const hash = createHash("sha256").update(`${size}\n`);
  const lastOffset = Math.max(0, size - MEBIBYTE);
  for (const offset of [0, Math.floor(lastOffset / 2), lastOffset])
    hash.update(await read(offset, Math.min(MEBIBYTE, size - offset)));
  return `sha256:${hash.digest("hex")}`;
}
