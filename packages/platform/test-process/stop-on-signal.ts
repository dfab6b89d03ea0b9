import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "../log.ts";
import { onShutdownSignals } from "../shutdown.ts";

/** Runs until a signal; stops as argv[2] says (clean, failing, stuck), with a grace time of argv[3] milliseconds. */
const [how, graceMs] = process.argv.slice(2);

const stops: Record<string, () => Promise<void>> = {
  clean: async () => {
    await sleep(50);
  },
  failing: async () => {
    throw new Error("the database does not close");
  },
  stuck: () => new Promise(() => {}),
};

const log = createLog({ level: "info", format: "pretty" });
onShutdownSignals(
  log,
  async (reason) => {
    process.stdout.write(`stopping by ${reason}\n`);
    await stops[how ?? ""]?.();
    process.stdout.write("stopped\n");
  },
  { graceMs: Number(graceMs) },
);
// Something that keeps the process running, as a server would.
setInterval(() => {}, 1000);
process.stdout.write("ready\n");
