import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { PipelineError, SourceAddress } from "@gakuen/contracts";
import { isObjectUrl, parseObjectAddress, plainUrl } from "./object-address.ts";

/**
 * What a person wrote, as an address: an absolute path, a file:// URL, an http(s) URL, or s3://bucket/key, which becomes
 * the object's plain web address ({@link parseObjectAddress} tells how it is read).
 * Errors: `usage.invalid`.
 */
export function parseSource(text: string): SourceAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") {
    const parsed = SourceAddress.safeParse({ kind: "http", url: text });
    if (parsed.success) return parsed.data;
    throw new PipelineError("usage.invalid", `${text} is not a valid URL`);
  }
  if (isObjectUrl(text)) return { kind: "http", url: plainUrl(parseObjectAddress(text)) };
  if (scheme === "file") return { kind: "file", path: pathOfUrl(text) };
  if (scheme)
    throw new PipelineError(
      "usage.invalid",
      `${scheme}:// sources are not supported; use a path, http://, https:// or s3://`,
    );
  if (!isAbsolute(text))
    throw new PipelineError("usage.invalid", `${text} is a relative path; give the full path on the server`);
  return { kind: "file", path: text };
}

function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new PipelineError("usage.invalid", `${url} is not a file of this machine; write file:///path/to/film.mp4`, {
      cause: error,
    });
  }
}
