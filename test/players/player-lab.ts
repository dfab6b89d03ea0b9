import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { launchChromium } from "./chromium.ts";
import type { PageApi, PlayerName } from "./play-report.ts";
import { PlaySession } from "./play-session.ts";
import type { StaticServer } from "./static-server.ts";
import { serveFolder } from "./static-server.ts";

declare const lab: PageApi;

export interface PlayOptions {
  readonly player: PlayerName;
  /** The MPD or the master playlist, whichever the player is for. */
  readonly url: string;
  /** Above 1 a test is quicker, but frames are skipped and cannot be counted. */
  readonly playbackRate?: number;
  /** The stream has no picture: what counts is that the position moves. */
  readonly audioOnly?: boolean;
}

export interface SyncReport {
  /** Median over the beeps, in milliseconds; positive when the sound comes after the picture. */
  readonly lagMs: number;
  readonly pairs: readonly { readonly flash: number; readonly beep: number; readonly lagMs: number }[];
}

const bundles = {
  "/dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
  "/shaka.js": "shaka-player/dist/shaka-player.compiled-es2021.js",
  "/hls.js": "hls.js/dist/hls.min.js",
} as const;

/**
 * Opens a lab: Chromium, and a page on an origin of its own, so that a stream without CORS headers fails here as it does
 * on other people's pages. Errors: `tool.missing` without Chromium.
 */
export async function openPlayers(): Promise<PlayerLab> {
  const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));
  const aliases = Object.fromEntries(Object.entries(bundles).map(([path, file]) => [path, modules + file]));
  const browser = await launchChromium();
  const pages = await serveFolder(fileURLToPath(new URL("page", import.meta.url)), { aliases });
  return new PlayerLab(browser, pages);
}

export class PlayerLab implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #pages: StaticServer;

  constructor(browser: Browser, pages: StaticServer) {
    this.#browser = browser;
    this.#pages = pages;
  }

  /** Begins to play. Each session has an empty cache and no memory of earlier bandwidths. */
  async play({ player, url, playbackRate = 1, audioOnly = false }: PlayOptions): Promise<PlaySession> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    const session = new PlaySession(page);
    await page.goto(this.#pages.origin, { waitUntil: "load" });
    await page.evaluate((options) => lab.load(options), { player, url, playbackRate, audioOnly });
    return session;
  }

  /**
   * How far sound and picture are apart in a stream with a white flash and a beep that begin at the same instants, at
   * least half a second apart. Plays `seconds` (8 unless told) at normal speed.
   */
  async measureSync(options: {
    readonly player: PlayerName;
    readonly url: string;
    readonly seconds?: number;
  }): Promise<SyncReport> {
    await using session = await this.play(options);
    const { flashes, beeps } = await session.watchSync(options.seconds ?? 8);
    const pairs = flashes.flatMap((flash) => {
      const beep = beeps.find((beep) => Math.abs(beep - flash) < 0.25);
      return beep === undefined ? [] : [{ flash, beep, lagMs: (beep - flash) * 1000 }];
    });
    if (pairs.length < 2)
      throw new Error(`too few flashes with a beep: flashes at ${flashes.join()} s, beeps at ${beeps.join()} s`);
    const lags = pairs.map(({ lagMs }) => lagMs).sort((a, b) => a - b);
    return { lagMs: lags[lags.length >> 1] ?? Number.NaN, pairs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.#pages[Symbol.asyncDispose]();
  }
}
