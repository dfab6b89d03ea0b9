import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { planIdOf } from "@gakuen/contracts";
import { type Engine, openEngine } from "@gakuen/engine";
import { cpuMsOfTree, machineCpu } from "./cpu.ts";
import type { EncodersMark, EncodersTask } from "./encoders.ts";
import { TIME_SCALE, titleOf } from "./load.ts";
import { connectionsTo, type QueueServer, queueServers } from "./queue-servers.ts";

/** Hosts and slots of each. */
const fleets = [
  { hosts: 1, slots: 1 },
  { hosts: 2, slots: 4 },
  { hosts: 8, slots: 8 },
  { hosts: 32, slots: 16 },
] as const;

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none };

/** The engine alone: chunks of a three-hour film and a thousand short titles, all queued at once. */
export async function measureQueue(short: boolean): Promise<void> {
  for (const open of queueServers()) {
    await using server = await open();
    await using engine = await openEngine({ url: server.url, log });
    await fill(engine, server, short ? 100 : 1000);
    for (const fleet of fleets)
      printFleet(fleet, await measureFleet(server, fleet, TIME_SCALE, short ? 6_000 : 12_000));
    // No chunk ends within this look.
    const [, , held] = fleets;
    printHeld(held, await measureFleet(server, held, 10, short ? 6_000 : 12_000));
  }
}

async function fill(engine: Engine, server: QueueServer, shorts: number): Promise<void> {
  const loads = [
    titleOf("film", 3 * 3600),
    ...Array.from({ length: shorts }, (_, index) => titleOf(`short-${index}`, 30)),
  ];
  const chunks = loads.reduce((sum, load) => sum + load.encodes.length, 0);
  const cpu = cpuMsOfTree(server.pid);
  const begin = performance.now();
  for (const { title, plan, encodes } of loads) await engine.addGraph({ title, plan: planIdOf(plan) }, encodes);
  const seconds = (performance.now() - begin) / 1000;
  const perChunk = (cpuMsOfTree(server.pid) - cpu) / chunks;
  console.log(
    `\n${server.name}: ${chunks} chunks of a three-hour film and ${shorts} titles of 30 s queued in ${seconds.toFixed(1)} s, ${perChunk.toFixed(2)} ms CPU of the database per chunk`,
  );
}

/** Processes that play the hosts; few, because there are few CPUs here. */
const MOST_PROCESSES = 2;

interface Fleet {
  readonly hosts: number;
  readonly slots: number;
}

interface Measured {
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
async function measureFleet(server: QueueServer, fleet: Fleet, scale: number, windowMs: number): Promise<Measured> {
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
    await ask({ url: server.url, hosts: fleet.hosts / processes, slots: fleet.slots, scale });
    // Past the first rush, in which every slot asks at once.
    await delay(5_000);
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

function printFleet({ hosts, slots }: Fleet, found: Measured): void {
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

/** A chunk of 20 s of film, all rungs. */
const CHUNK_SECONDS = 50;

function printHeld({ hosts, slots }: Fleet, { node, database, wallMs }: Measured): void {
  const perChunk = (cpuMs: number): string => ((cpuMs / wallMs / hosts / slots) * CHUNK_SECONDS * 1000).toFixed(1);
  console.log(
    `  encodes at their recorded length: to hold one for ${CHUNK_SECONDS} s costs ${perChunk(node)} ms Node + ${perChunk(database)} ms database (${hosts * slots} slots on ${hosts} hosts: locks, progress, looking for news)`,
  );
}
