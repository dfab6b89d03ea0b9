import type { Page } from "playwright-core";
import type { Complaint, FailedRequest, PageApi, PlayReport } from "./play-report.ts";

/** The page's `window.lab`, inside of functions that run there. */
declare const lab: PageApi;

const TIMEOUT_MS = 30_000;
/** A page that hangs cannot keep its own time-outs, so the harness has one that is a little longer. */
const GRACE_MS = 5000;

/** Playback did not do what was asked of it in time. */
export class PlaybackFailed extends Error {
  readonly report: PlayReport;

  constructor(message: string, report: PlayReport) {
    super(`${message}\n${JSON.stringify(report, null, 2)}`);
    this.name = "PlaybackFailed";
    this.report = report;
  }
}

/**
 * One player that plays one stream in a page of its own. Everything that waits rejects with {@link PlaybackFailed} when
 * the player or the element reports a fatal error, or after `timeoutMs` (30 s unless told).
 */
export class PlaySession implements AsyncDisposable {
  readonly #page: Page;
  readonly #failedRequests: FailedRequest[] = [];
  readonly #pageErrors: Complaint[] = [];

  constructor(page: Page) {
    this.#page = page;
    page.on("response", (response) => {
      if (response.status() >= 400)
        this.#failedRequests.push({ url: response.url(), status: response.status(), reason: response.statusText() });
    });
    page.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText ?? "";
      // Players abort what they no longer want: that is no failure.
      if (reason !== "net::ERR_ABORTED") this.#failedRequests.push({ url: request.url(), status: null, reason });
    });
    page.on("pageerror", (error) => this.#pageErrors.push({ from: "page", message: error.message, position: 0 }));
  }

  /** Milliseconds from the call that loads the stream to `playing` with a frame on the screen. */
  started(timeoutMs = TIMEOUT_MS): Promise<{ ms: number }> {
    return this.#inPage("start", timeoutMs, () => this.#page.evaluate((t) => lab.started(t), timeoutMs));
  }

  /**
   * Goes to a position in seconds; milliseconds until it plays past that position with new frames on the screen.
   * The position must not be the very end: two frames have to follow.
   */
  seek(seconds: number, timeoutMs = TIMEOUT_MS): Promise<{ ms: number }> {
    return this.#inPage("seek", timeoutMs, () =>
      this.#page.evaluate(([s, t]) => lab.seek(s, t), [seconds, timeoutMs] as const),
    );
  }

  /** Resolves when the element has ended. The time-out must be longer than the rest of the stream. */
  async playToEnd(timeoutMs = TIMEOUT_MS): Promise<PlayReport> {
    await this.#inPage("play to the end", timeoutMs, () => this.#page.evaluate((t) => lab.toEnd(t), timeoutMs));
    return await this.report();
  }

  /** Media times in seconds of the white flashes and the beeps in the next `seconds` of playback. */
  watchSync(seconds: number): Promise<{ flashes: readonly number[]; beeps: readonly number[] }> {
    return this.#inPage("watch", seconds * 1000 + 20_000, () => this.#page.evaluate((s) => lab.watchSync(s), seconds));
  }

  async report(): Promise<PlayReport> {
    const seen = await within(GRACE_MS, "the page does not answer", () => this.#page.evaluate(() => lab.report()));
    return { ...seen, errors: [...seen.errors, ...this.#pageErrors], failedRequests: [...this.#failedRequests] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#page.context().close();
  }

  async #inPage<T>(what: string, timeoutMs: number, run: () => Promise<T>): Promise<T> {
    try {
      return await within(timeoutMs + GRACE_MS, `${what}: the page hangs`, run);
    } catch (error) {
      throw new PlaybackFailed(error instanceof Error ? error.message : String(error), await this.report());
    }
  }
}

async function within<T>(timeoutMs: number, message: string, run: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  try {
    return await Promise.race([run(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
