import { constants } from "node:os";
import type { Log } from "./log.ts";

type StopSignal = "SIGINT" | "SIGTERM";

/** What shells report of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM. */
const exitCodeOf = (signal: StopSignal): number => 128 + constants.signals[signal];

/**
 * Ends the process in an orderly way at SIGINT and SIGTERM: `stop` is called once, then the process exits with 0, or
 * with 1 if `stop` failed. A second signal, or `graceMs` milliseconds without an end, exits at once with 130 or 143.
 */
export function onShutdownSignals(
  log: Log,
  stop: (reason: string) => Promise<void>,
  { graceMs }: { readonly graceMs: number },
): void {
  let stopping = false;

  const begin = async (signal: StopSignal): Promise<void> => {
    setTimeout(() => {
      log.warn(`not stopped after ${graceMs / 1000} s, exiting anyway`);
      process.exit(exitCodeOf(signal));
    }, graceMs);
    try {
      log.info(`${signal}: stopping; once more exits at once`);
      await stop(signal);
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, "stopping failed");
      process.exit(1);
    }
  };

  const onSignal = (signal: StopSignal): void => {
    if (stopping) process.exit(exitCodeOf(signal));
    stopping = true;
    void begin(signal);
  };

  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}
