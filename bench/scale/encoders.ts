import { setTimeout as delay } from "node:timers/promises";
import type { EncodeJob } from "@gakuen/contracts";
import { type Engine, type Handler, openEngine } from "@gakuen/engine";
import { createHttpIngest, startOtetsudai } from "@gakuen/otetsudai-encoder";
import { createLog } from "@gakuen/platform";
import { encodeMs } from "./load.ts";

/**
 * A process that plays several encoder hosts, each with a queue connection and slots of its own. It is told what to do,
 * and tells what was done, over the channel to its parent.
 */
export interface EncodersTask {
  readonly url: string;
  readonly hosts: number;
  readonly slots: number;
  /** Of the recorded times of the encodes. */
  readonly scale: number;
  /**
   * A whole Otetsudai with this ffmpeg, which takes so long for a segment, and this Kaikeishi; without it an encode is a
   * wait and nothing else.
   */
  readonly whole?: { readonly ffmpeg: string; readonly segmentMs: number; readonly kaikeishi: string };
}

export interface EncodersMark {
  /** Milliseconds of encoding that slots have done, as planned: what is late, or comes after it, does not count. */
  readonly encodedMs: number;
  readonly chunks: number;
  readonly cpuMs: number;
  /** What the engine warned of: a queue that does not answer in time. */
  readonly warnings: number;
}

const engines: Engine[] = [];
const running = new Map<object, { begunAt: number; ms: number }>();
let encodedMs = 0;
let chunks = 0;
let warnings = 0;

const none = (): void => undefined;
const log = { debug: none, info: none, warn: () => void (warnings += 1), error: none };

async function work(task: EncodersTask): Promise<void> {
  for (let host = 0; host < task.hosts; host++) {
    const name = `host-${process.pid}-${host}`;
    engines.push(await openEngine({ url: task.url, log, worksOnly: true, name }));
  }
  for (const engine of engines) startEncoder(engine, task);
}

function startEncoder(engine: Engine, { slots, scale, whole }: EncodersTask): void {
  const counted =
    (handler: Handler<EncodeJob>): Handler<EncodeJob> =>
    async (job, context) => {
      const ms = whole ? whole.segmentMs * job.chunk.segments : encodeMs(job, scale);
      running.set(context, { begunAt: performance.now(), ms });
      await handler(job, context).finally(() => running.delete(context));
      encodedMs += ms;
      chunks += 1;
    };
  if (whole) {
    const workEncode: Engine["workEncode"] = (handler, options) => engine.workEncode(counted(handler), options);
    const tools = { ffmpeg: whole.ffmpeg, ffprobe: "", version: "" };
    const ingest = createHttpIngest(whole.kaikeishi);
    const quiet = createLog({ level: "warn", format: "json" });
    startOtetsudai({ engine: { ...engine, workEncode }, tools, ingest, slots, log: quiet });
    return;
  }
  const wait = counted(async (job, { signal, report }) => {
    const timer = setInterval(() => report({ seconds: 1, total: 2, encoder: "bench" }), 500);
    await delay(encodeMs(job, scale), undefined, { signal }).finally(() => clearInterval(timer));
  });
  engine.workEncode(wait, { slots });
}

function mark(): EncodersMark {
  let current = 0;
  for (const { begunAt, ms } of running.values()) current += Math.min(ms, performance.now() - begunAt);
  const { user, system } = process.cpuUsage();
  return { encodedMs: encodedMs + current, chunks, cpuMs: (user + system) / 1000, warnings };
}

// A parent that was killed leaves nothing behind.
process.once("disconnect", () => process.exit());
process.on("message", (message: EncodersTask | "mark" | "stop") => {
  if (message === "mark") process.send?.(mark());
  else if (message === "stop") void Promise.all(engines.map((engine) => engine.close())).then(() => process.exit(0));
  else void work(message).then(() => process.send?.(mark()));
});
