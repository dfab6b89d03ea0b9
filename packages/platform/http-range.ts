/** A part of a representation: [start, end) in bytes. */
export interface HttpRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The single byte range of a Range header (RFC 9110, 14.1.2); `undefined` where there is none or it is not one we serve
 * (several ranges, another unit, malformed: 14.2 lets a server ignore those), `"unsatisfiable"` where it lies beyond
 * the end.
 */
export function parseRange(header: string | undefined, size: number): HttpRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}
