import { setTimeout as delay } from "node:timers/promises";
import { isOutage } from "@gakuen/contracts";
import type { Log } from "@gakuen/platform";

/** Less than the minute after which proxies cut a silent connection and encoders take their ffmpeg for stuck. */
const PATIENCE_MS = 30_000;
const TRY_AGAIN_MS = 500;

/**
 * Does what may be done twice again and again while store or database are away. Nothing is read from the encoder
 * meanwhile, which holds it back: an outage of seconds costs nobody a chunk that is half encoded.
 *
 * Errors: those of `work`; an outage's only when it lasts longer than `patienceMs`; the signal's reason.
 */
export async function waitOut(
  work: () => Promise<void>,
  { patienceMs = PATIENCE_MS, signal, log }: { patienceMs?: number | undefined; signal: AbortSignal; log: Log },
): Promise<void> {
  const giveUp = performance.now() + patienceMs;
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isOutage(error) || performance.now() > giveUp) throw error;
      if (tries === 1) log.warn({ err: error }, "the encoder is held back until this is over");
    }
    await delay(TRY_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
