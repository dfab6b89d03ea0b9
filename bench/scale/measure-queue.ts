import { planIdOf } from "@gakuen/contracts";
import { type Engine, openEngine } from "@gakuen/engine";
import { cpuMsOfTree } from "./cpu.ts";
import { TIME_SCALE, titleOf } from "./load.ts";
import { type Fleet, type Measured, measureFleet, printFleet } from "./measure-fleet.ts";
import { type QueueServer, queueServers } from "./queue-servers.ts";

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
    await fill(engine, server);
    const look = { warmUpMs: 4_000, windowMs: short ? 5_000 : 8_000 };
    for (const fleet of short ? fleets.slice(0, 3) : fleets) {
      printFleet(fleet, await measureFleet(server, fleet, { scale: TIME_SCALE }, look));
      if ((await engine.counts()).encode.waiting === 0) console.log("     (the queue ran empty meanwhile)");
    }
    // No chunk ends within this look.
    const [, , held] = fleets;
    printHeld(held, await measureFleet(server, held, { scale: 10 }, look));
  }
}

const SHORTS = 1000;
/** Titles that are queued at the same time, as several requests would. */
const AT_ONCE = 4;

async function fill(engine: Engine, server: QueueServer): Promise<void> {
  const loads = [
    titleOf("film", 3 * 3600),
    ...Array.from({ length: SHORTS }, (_, index) => titleOf(`short-${index}`, 30)),
  ];
  const chunks = loads.reduce((sum, load) => sum + load.encodes.length, 0);
  const cpu = cpuMsOfTree(server.pid);
  const begin = performance.now();
  const queueAll = async (): Promise<void> => {
    for (let load = loads.shift(); load; load = loads.shift())
      await engine.addGraph({ title: load.title, plan: planIdOf(load.plan) }, load.encodes);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, queueAll));
  const seconds = (performance.now() - begin) / 1000;
  const perChunk = (cpuMsOfTree(server.pid) - cpu) / chunks;
  console.log(
    `\n${server.name}: ${chunks} chunks of a three-hour film and ${SHORTS} titles of 30 s queued in ${seconds.toFixed(1)} s, ${perChunk.toFixed(2)} ms CPU of the database per chunk`,
  );
}

/** A chunk of 20 s of film, all rungs. */
const CHUNK_SECONDS = 50;

function printHeld({ hosts, slots }: Fleet, { node, database, wallMs }: Measured): void {
  const perChunk = (cpuMs: number): string => ((cpuMs / wallMs / hosts / slots) * CHUNK_SECONDS * 1000).toFixed(1);
  console.log(
    `  encodes at their recorded length: to hold one for ${CHUNK_SECONDS} s costs ${perChunk(node)} ms Node + ${perChunk(database)} ms database (${hosts * slots} slots on ${hosts} hosts: locks, progress, looking for news)`,
  );
}
