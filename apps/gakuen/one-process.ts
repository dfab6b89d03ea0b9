import { isDeepStrictEqual } from "node:util";
import type { Ingest, Inspection, SourceAddress } from "@gakuen/contracts";
import { inspectSource, type Tools } from "@gakuen/ffmpeg";
import { dashboardRoutes } from "@gakuen/fukukaichou-dashboard/dashboard";
import {
  createKaichou,
  type Kaichou,
  sourceFromKaichou,
  sourceInPlace,
  sourceNearby,
  sourceRoutes,
  titleControlRoutes,
} from "@gakuen/kaichou-intake";
import { createKaikeishi, ingestRoutes } from "@gakuen/kaikeishi-uploader";
import { startOtetsudai } from "@gakuen/otetsudai-encoder";
import { type Config, createHttpServer, FRONT_DOOR_PORT, listen, type Log } from "@gakuen/platform";
import { createShoki, replicaRoutes, type Shoki, startReplication } from "@gakuen/shoki-publisher";
import { configuredTools, type Foundation, openFoundation } from "./foundation.ts";
import { version } from "./version.ts";

/** All five services in one process: calls are calls, sources are read in place. */
export interface OneProcess extends AsyncDisposable {
  readonly foundation: Foundation;
  readonly kaichou: Kaichou;
  readonly shoki: Shoki;
  /** Where the front door listens; undefined when it was not opened. */
  readonly url: string | undefined;
}

export interface OneProcessOptions {
  readonly config: Config;
  readonly log: Log;
  /** Without the front door nobody can look in: for a single encode. */
  readonly frontDoor: boolean;
  /** A source that is surely going to be wanted: it is inspected while the database starts. */
  readonly expected?: SourceAddress;
}

/** Time that encoders in hand are given at a stop; then their chunks go back to the queue. */
const GRACE_MS = 2000;

export async function startOneProcess({ config, log, frontDoor, expected }: OneProcessOptions): Promise<OneProcess> {
  await using stack = new AsyncDisposableStack();
  // The database takes a second to start; meanwhile ffmpeg is looked at, and the source that is expected.
  const [opened, found] = await Promise.allSettled([openFoundation(config, log), openInspector(config, expected)]);
  const foundation = stack.use(valueOf(opened));
  const { tools, inspect } = valueOf(found);
  const named = (service: string): Log => log.child({ service });

  const kaikeishi = createKaikeishi({ ...foundation, log: named("kaikeishi") });
  const shoki = createShoki({ ...foundation, log: named("shoki") });
  // Known once the front door is open, and asked for after that.
  let ownUrl = "";
  const frontUrl = (): string => config.publicUrl ?? ownUrl;
  // Where queue or database are everybody's, encoders of other machines take chunks too.
  const shared = config.databaseUrl !== undefined || config.queueUrl !== undefined;
  const sourceBehindDoor = shared ? sourceFromKaichou : sourceNearby;
  const kaichou = createKaichou({
    ...foundation,
    inspect,
    encoderAddress: frontDoor ? sourceBehindDoor(foundation.tokens, frontUrl) : sourceInPlace,
    watch: config.watch,
    log: named("kaichou"),
  });

  if (frontDoor) ownUrl = await openFrontDoor(stack, config, named("front"), { foundation, kaikeishi, shoki, kaichou });
  const url = frontDoor ? frontUrl() : undefined;

  const publishing = shoki.start();
  stack.defer(() => publishing.stop());
  if (config.replicaUrl) {
    const replication = startReplication({ ...foundation, replicaUrl: config.replicaUrl, log: named("shoki") });
    stack.defer(() => replication.stop());
  }
  const intake = await kaichou.start();
  stack.defer(() => intake.stop());
  const otetsudai = startOtetsudai({
    ...foundation,
    tools,
    ingest: kaikeishi,
    slots: config.slots,
    log: named("otetsudai"),
  });
  stack.defer(() => otetsudai.close({ graceMs: GRACE_MS }));

  const started = stack.move();
  return { foundation, kaichou, shoki, url, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

type Inspect = (source: SourceAddress, signal: AbortSignal) => Promise<Inspection>;

/** Errors: `tool.missing`, and every `source.*` code for the expected source. */
async function openInspector(config: Config, expected?: SourceAddress): Promise<{ tools: Tools; inspect: Inspect }> {
  const tools = await configuredTools(config);
  const inspect: Inspect = (source, signal) => inspectSource(source, { tools, signal });
  if (!expected) return { tools, inspect };
  const inspection = await inspect(expected, new AbortController().signal);
  return {
    tools,
    inspect: async (source, signal) => (isDeepStrictEqual(source, expected) ? inspection : inspect(source, signal)),
  };
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

async function openFrontDoor(
  stack: AsyncDisposableStack,
  config: Config,
  log: Log,
  services: { foundation: Foundation; kaikeishi: Ingest; shoki: Shoki; kaichou: Kaichou },
): Promise<string> {
  const server = createHttpServer({ log, service: "gakuen", version });
  ingestRoutes(server, services.kaikeishi);
  titleControlRoutes(server, services.kaichou);
  sourceRoutes(server, services.foundation.records, services.foundation.tokens, { lost: services.kaichou.sourceLost });
  services.shoki.routes(server);
  replicaRoutes(server, services.foundation.records);
  dashboardRoutes(server);
  const url = await listen(server, { host: config.host, port: config.port ?? FRONT_DOOR_PORT });
  stack.defer(async () => {
    // Open event streams and held segment requests would keep the server for ever.
    server.server.closeAllConnections();
    await server.close();
  });
  return url;
}
