import type { InspectedVideo, PlanSettings, Rational } from "@gakuen/contracts";

/** One rendition size of the ladder. `name` is the nominal height: what a viewer picks as "720p". */
export interface Rung {
  readonly name: number;
  readonly width: number;
  readonly height: number;
  readonly crf: number;
  /** VBV in bit/s and bits. */
  readonly maxrate: number;
  readonly bufsize: number;
}

const standardHeights = [2160, 1440, 1080, 720, 480, 360, 240] as const;

/** A source this much larger than the largest standard rung below it gets a rung of its own size. */
const OWN_SIZE_FACTOR = 1.15;

/**
 * The ladder for a picture of the given display size, highest rung first; never larger than the source.
 *
 * A rung of height H is the picture fitted into a 16:9 box of that height (9:16 for portrait), so a 1920×804 film has
 * its top rung in "1080" and a 1080×1920 clip too. Sides are even, as 4:2:0 needs.
 */
export function ladder(video: InspectedVideo, frameRate: Rational, settings: PlanSettings): readonly Rung[] {
  const { displayWidth, displayHeight } = video;
  const heights = [...new Set(settings.rungs ?? standardHeights)].sort((a, b) => b - a);
  const fits = heights.filter((height) => scaleInto(height, displayWidth, displayHeight) <= 1);
  const sourceHeight = nominalHeight(displayWidth, displayHeight);
  const top = fits[0];
  if (
    top === undefined ||
    (settings.rungs === undefined && sourceHeight > top * OWN_SIZE_FACTOR && sourceHeight < 2160)
  )
    fits.unshift(sourceHeight);

  const rungs: Rung[] = [];
  for (const name of fits) {
    const scale = Math.min(1, scaleInto(name, displayWidth, displayHeight));
    const width = even(displayWidth * scale);
    const height = even(displayHeight * scale);
    // Two heights that come out as one size (a very flat picture) are one rung.
    if (rungs.some((rung) => rung.width === width && rung.height === height)) continue;
    const maxrate = peakRate(width, height, frameRate);
    // A chunk starts with a full buffer; one second of it keeps the overshoot at joins within a quarter of a segment.
    rungs.push({ name, width, height, crf: crfFor(name), maxrate, bufsize: maxrate });
  }
  return rungs;
}

/** Scale factor that fits a picture into the 16:9 (or 9:16) box of a nominal height. */
function scaleInto(height: number, width: number, displayHeight: number): number {
  const long = (height * 16) / 9;
  const [boxWidth, boxHeight] = width >= displayHeight ? [long, height] : [height, long];
  return Math.min(boxWidth / width, boxHeight / displayHeight);
}

/** The height of the smallest 16:9 (or 9:16) box that holds the picture. */
function nominalHeight(width: number, height: number): number {
  const [long, short] = width >= height ? [width, height] : [height, width];
  return Math.ceil(Math.max(short, (long * 9) / 16) / 2) * 2;
}

function even(value: number): number {
  return Math.max(2, Math.floor(value / 2 + 1e-6) * 2);
}

/**
 * Peak bit rate of H.264 for a picture size: 6 Mbit/s at 1080p30, growing with the pixels to the power 0.8 (larger
 * pictures are smoother per pixel) and with the square root of the frame rate (neighbouring frames are more alike).
 */
function peakRate(width: number, height: number, frameRate: Rational): number {
  const pixels = (width * height) / (1920 * 1080);
  const rate = Math.max(24, frameRate.num / frameRate.den) / 30;
  return Math.max(64, Math.round(6000 * pixels ** 0.8 * Math.sqrt(rate))) * 1000;
}

/** Small pictures are enlarged on screen, and so is their damage: they get a little more quality. */
function crfFor(height: number): number {
  if (height >= 720) return 23;
  return height >= 480 ? 22 : 21;
}
