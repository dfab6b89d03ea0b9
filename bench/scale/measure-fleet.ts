import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { cpuMsOfTree, machineCpu } from "./cpu.ts";
import type { EncodersMark, EncodersTask } from "./encoders.ts";
import { connectionsTo, type QueueServer } from "./queue-servers.ts";

/** Processes that play the hosts; few, because there are few CPUs here. */
const MOST_PROCESSES = 2;

export interface Fleet {
  readonly hosts: number;
  readonly slots: number;
}

export interface Measured {
  readonly efficiency: number;
  readonly chunks: number;
  readonly wallMs: number;
  /** CPU-milliseconds. */
  readonly node: number;
  readonly database: number;
  readonly warnings: number;
  readonly connections: number;
  /** Shares of the machine's CPUs. */
  readonly own: number;
  readonly others: number;
}

/** Lets a fleet work on what is queued, and looks at it for a while in the middle of that. */
export async function measureFleet(
  server: QueueServer,
  fleet: Fleet,
  task: Pick<EncodersTask, "scale" | "whole">,
  { warmUpMs, windowMs }: { readonly warmUpMs: number; readonly windowMs: number },
): Promise<Measured> {
  const processes = Math.min(MOST_PROCESSES, fleet.hosts);
  const children = Array.from({ length: processes }, () =>
    fork(new URL("./encoders.ts", import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
  );
  const ask = (message: EncodersTask | "mark"): Promise<EncodersMark[]> =>
    Promise.all(
      children.map(async (child) => {
        const answered = once(child, "message");
        child.send(message);
        return ((await answered) as [EncodersMark])[0];
      }),
    );
  const look = async () => {
    const marks = await ask("mark");
    return { marks, database: cpuMsOfTree(server.pid), machine: machineCpu(), at: performance.now() };
  };
  try {
    await ask({ ...task, url: server.url, hosts: fleet.hosts / processes, slots: fleet.slots });
    // Past the first rush, in which every slot asks at once.
    await delay(warmUpMs);
    const before = await look();
    await delay(windowMs);
    const after = await look();
    const total = (marks: readonly EncodersMark[], of: keyof EncodersMark): number =>
      marks.reduce((sum, mark) => sum + mark[of], 0);
    const grown = (of: keyof EncodersMark): number => total(after.marks, of) - total(before.marks, of);
    const wallMs = after.at - before.at;
    const node = grown("cpuMs");
    const database = after.database - before.database;
    const usedMs = after.machine.usedMs - before.machine.usedMs;
    const allMs = usedMs + after.machine.idleMs - before.machine.idleMs;
    return {
      efficiency: grown("encodedMs") / (fleet.hosts * fleet.slots * wallMs),
      chunks: grown("chunks"),
      wallMs,
      node,
      database,
      warnings: grown("warnings"),
      connections: connectionsTo(server.url),
      own: (node + database) / allMs,
      others: Math.max(0, usedMs - node - database) / allMs,
    };
  } finally {
    for (const child of children) {
      const ended = once(child, "exit");
      child.send("stop");
      const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(late);
    }
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

export function printFleet({ hosts, slots }: Fleet, found: Measured): void {
  const { chunks, node, database } = found;
  const facts = [
    `${`${hosts * slots}`.padStart(4)} slots on ${`${hosts}`.padStart(2)} hosts`,
    `efficiency ${found.efficiency.toFixed(3)}`,
    `${((chunks / found.wallMs) * 1000).toFixed(1).padStart(5)} chunks/s`,
    `CPU per chunk ${((node + database) / chunks).toFixed(1).padStart(4)} ms = ${(node / chunks).toFixed(1)} Node + ${(database / chunks).toFixed(1)} database`,
    `${found.connections} connections`,
    `of the machine ${percent(found.own)}, others ${percent(found.others)}`,
    ...(found.warnings > 0 ? [`${found.warnings} warnings`] : []),
  ];
  console.log(facts.join(" · "));
}
