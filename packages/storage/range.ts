import { PipelineError } from "@gakuen/contracts";
import type { ByteRange } from "./port.ts";

/**
 * The part of `range` that an object of `bytes` bytes has: an end behind the object's is its end (RFC 9110 §14.1.2).
 * Errors: `usage.invalid` for a range that is no range of whole bytes or lies behind the object.
 */
export function clampRange(range: ByteRange, key: string, bytes: number): ByteRange {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || start < 0 || !(Number.isSafeInteger(end) || end === Infinity) || end <= start) {
    throw new PipelineError("usage.invalid", `[${start}, ${end}) is not a range of bytes`);
  }
  if (start >= bytes) {
    throw new PipelineError("usage.invalid", `The range starts at byte ${start}, but ${key} has only ${bytes} bytes`);
  }
  return { start, end: Math.min(end, bytes) };
}
