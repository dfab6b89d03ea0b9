import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { PipelineError } from "@gakuen/contracts";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";

const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  // The sound is decoded and can be tapped, but nobody's speakers beep.
  "--mute-audio",
];

/**
 * Starts Chromium without a window: `$GAKUEN_CHROMIUM`, else the first of chromium and google-chrome in PATH, else
 * /usr/bin/chromium. Errors: `tool.missing`.
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await findChromium();
  // Chromium's sandbox refuses to run as root; everybody else keeps it.
  const asRoot = process.getuid?.() === 0;
  return await chromium.launch({
    executablePath,
    headless: true,
    chromiumSandbox: !asRoot,
    args: asRoot ? [...FLAGS, "--no-sandbox"] : FLAGS,
  });
}

async function findChromium(): Promise<string> {
  const wanted = process.env["GAKUEN_CHROMIUM"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates =
    wanted === undefined || wanted === ""
      ? [
          ...["chromium", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name))),
          "/usr/bin/chromium",
        ]
      : [wanted];
  for (const candidate of candidates) {
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return candidate;
  }
  throw new PipelineError(
    "tool.missing",
    wanted
      ? `GAKUEN_CHROMIUM names ${wanted}, which cannot be run`
      : "Chromium was not found: install it or name it in GAKUEN_CHROMIUM",
  );
}
