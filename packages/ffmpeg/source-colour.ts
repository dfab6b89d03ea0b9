import type { Colour } from "@gakuen/contracts";
import type { ProbedStream } from "./probe.ts";

/** What ffmpeg's zscale converts from, by the names of ITU-T H.273; nothing else can be shown as it is meant. */
const known = {
  primaries: new Set(
    "bt709 bt470m bt470bg smpte170m smpte240m film bt2020 smpte428 smpte431 smpte432 ebu3213 jedec-p22".split(" "),
  ),
  transfer: new Set(
    (
      "bt709 bt470m bt470bg smpte170m smpte240m linear log100 log316 iec61966-2-4 iec61966-2-1 bt2020-10 bt2020-12 " +
      "smpte2084 arib-std-b67"
    ).split(" "),
  ),
  matrix: new Set("bt709 fcc bt470bg smpte170m smpte240m ycgco bt2020nc bt2020c".split(" ")),
};

/**
 * A stream's colour; what it does not say, or says in a way that nobody can convert from, is assumed by its size, as
 * players do: HD is BT.709, smaller pictures are BT.601 with the primaries of their television system.
 */
export function sourceColour(stream: ProbedStream, width: number, height: number): Colour & { assumed: boolean } {
  const isRgb = /^(gbr|rgb|bgr|[a0](rgb|bgr)|x2(rgb|bgr)|pal8)/.test(stream.pix_fmt ?? "");
  // RGB comes from a computer, whatever its size.
  const usual = isRgb ? HD : usualColour(width, height);
  const said = (what: keyof typeof known, value = ""): string | null => (known[what].has(value) ? value : null);
  const primaries = said("primaries", stream.color_primaries);
  const transfer = said("transfer", stream.color_transfer);
  const matrix = said("matrix", stream.color_space);
  const isFullRange = stream.color_range === "pc" || isRgb || (stream.pix_fmt ?? "").startsWith("yuvj");
  return {
    primaries: primaries ?? usual.primaries,
    transfer: transfer ?? usual.transfer,
    matrix: isRgb ? "gbr" : (matrix ?? usual.matrix),
    range: isFullRange ? "pc" : "tv",
    assumed: primaries === null || transfer === null || (matrix === null && !isRgb),
  };
}

const HD = { primaries: "bt709", transfer: "bt709", matrix: "bt709" };

function usualColour(width: number, height: number): Omit<Colour, "range"> {
  if (width >= 1280 || height > 576) return HD;
  if (height === 576 || height === 288) return { primaries: "bt470bg", transfer: "smpte170m", matrix: "bt470bg" };
  return { primaries: "smpte170m", transfer: "smpte170m", matrix: "smpte170m" };
}
