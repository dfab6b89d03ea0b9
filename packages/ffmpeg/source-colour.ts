import type { Colour } from "@gakuen/contracts";
import type { ProbedStream } from "./probe.ts";

const unsaid = new Set(["unknown", "unspecified", "reserved", ""]);

/**
 * A stream's colour; what it does not say is assumed by its size, as players do: HD is BT.709, smaller pictures are
 * BT.601 with the primaries of their television system.
 */
export function sourceColour(stream: ProbedStream, width: number, height: number): Colour & { assumed: boolean } {
  const usual = usualColour(width, height);
  const said = (value: string | undefined): string | null => (value === undefined || unsaid.has(value) ? null : value);
  const primaries = said(stream.color_primaries);
  const transfer = said(stream.color_transfer);
  const matrix = said(stream.color_space);
  const isRgb = /^(gbr|rgb|bgr|argb|abgr|pal8)/.test(stream.pix_fmt ?? "");
  const isFullRange = stream.color_range === "pc" || isRgb || (stream.pix_fmt ?? "").startsWith("yuvj");
  return {
    primaries: primaries ?? usual.primaries,
    transfer: transfer ?? usual.transfer,
    matrix: isRgb ? "gbr" : (matrix ?? usual.matrix),
    range: isFullRange ? "pc" : "tv",
    assumed: primaries === null || transfer === null || (matrix === null && !isRgb),
  };
}

function usualColour(width: number, height: number): Omit<Colour, "range"> {
  if (width >= 1280 || height > 576) return { primaries: "bt709", transfer: "bt709", matrix: "bt709" };
  if (height === 576 || height === 288) return { primaries: "bt470bg", transfer: "smpte170m", matrix: "bt470bg" };
  return { primaries: "smpte170m", transfer: "smpte170m", matrix: "smpte170m" };
}
