import { setTimeout as delay } from "node:timers/promises";

/**
 * Sends the newest value, at most one every `everyMs` and one at a time; values in between are dropped. A value that
 * could not be sent is dropped too: the next one is better.
 */
export function sendLatest<T>(deliver: (value: T) => Promise<unknown>, everyMs: number) {
  const ending = new AbortController();
  let next: { readonly value: T } | undefined;
  let sending = false;

  const drain = async (): Promise<void> => {
    sending = true;
    while (next !== undefined && !ending.signal.aborted) {
      const { value } = next;
      next = undefined;
      await deliver(value).catch(() => undefined);
      await delay(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    sending = false;
  };

  return {
    send: (value: T): void => {
      next = { value };
      if (!sending) void drain();
    },
    /** Sends nothing more. */
    end: (): void => ending.abort(),
  };
}
