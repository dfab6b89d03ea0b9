import { setTimeout as delay } from "node:timers/promises";
import { type Engine, openEngine } from "@gakuen/engine";
import { encodeMs } from "./load.ts";

/**
 * A process that plays several encoder hosts, each with a queue connection and slots of its own. Their encodes are
 * waits. It is told what to do, and tells what was done, over the channel to its parent.
 */
export interface EncodersTask {
  readonly url: string;
  readonly hosts: number;
  readonly slots: number;
  /** Of the recorded times of the encodes. */
  readonly scale: number;
}

export interface EncodersMark {
  /** Milliseconds of encoding that slots have done, as planned; waiting for a timer that is late does not count. */
  readonly encodedMs: number;
  readonly chunks: number;
  readonly cpuMs: number;
  readonly begun: number;
  /** What the engine warned of: a queue that does not answer in time. */
  readonly warnings: number;
}

const none = (): void => undefined;
const log = {
  debug: none,
  info: none,
  warn: () => void (warnings += 1),
  error: none,
};

const engines: Engine[] = [];
const running = new Map<string, { begunAt: number; ms: number }>();
let encodedMs = 0;
let chunks = 0;
let begun = 0;
let warnings = 0;

async function work({ url, hosts, slots, scale }: EncodersTask): Promise<void> {
  for (let host = 0; host < hosts; host++) {
    const engine = await openEngine({ url, log, worksOnly: true, name: `host-${process.pid}-${host}` });
    engines.push(engine);
  }
  for (const engine of engines)
    engine.workEncode(
      async (job, { signal, report }) => {
        const ms = encodeMs(job, scale);
        const key = `${job.ref.title}.${job.ref.chunk}`;
        running.set(key, { begunAt: performance.now(), ms });
        begun += 1;
        const timer = setInterval(() => report({ seconds: 1, total: 2, encoder: "bench" }), 500);
        await delay(ms, undefined, { signal }).finally(() => {
          clearInterval(timer);
          running.delete(key);
        });
        encodedMs += ms;
        chunks += 1;
      },
      { slots },
    );
}

function mark(): EncodersMark {
  let current = 0;
  for (const { begunAt, ms } of running.values()) current += Math.min(ms, performance.now() - begunAt);
  const { user, system } = process.cpuUsage();
  return { encodedMs: encodedMs + current, chunks, cpuMs: (user + system) / 1000, begun, warnings };
}

process.on("message", (message: EncodersTask | "mark" | "stop") => {
  if (message === "mark") process.send?.(mark());
  else if (message === "stop") void Promise.all(engines.map((engine) => engine.close())).then(() => process.exit(0));
  else void work(message).then(() => process.send?.(mark()));
});
