import { inspectSource } from "@gakuen/ffmpeg";
import { dashboardRoutes } from "@gakuen/fukukaichou-dashboard/dashboard";
import { frontDoorRoutes } from "@gakuen/fukukaichou-dashboard/front-door";
import { createKaichou, sourceFromKaichou, sourceRoutes, titleControlRoutes } from "@gakuen/kaichou-intake";
import { createKaikeishi, ingestRoutes } from "@gakuen/kaikeishi-uploader";
import { createHttpIngest, startOtetsudai } from "@gakuen/otetsudai-encoder";
import {
  type Config,
  createHttpServer,
  createLog,
  FRONT_DOOR_PORT,
  type HttpServer,
  listen,
  type Log,
  onShutdownSignals,
} from "@gakuen/platform";
import { createShoki, replicaRoutes, startReplication } from "@gakuen/shoki-publisher";
import { PipelineError } from "@gakuen/contracts";
import { configuredTools, type Foundation, openEncoderFoundation, openFoundation } from "./foundation.ts";
import { version } from "./version.ts";

export type ServiceName = "kaichou" | "fukukaichou" | "otetsudai" | "kaikeishi" | "shoki";

const SHUTDOWN_GRACE_MS = 30_000;
/** Time for the chunks in hand when an encoder is told to stop; what is not done then goes back to the queue. */
const CHUNK_GRACE_MS = 20_000;

interface Running {
  readonly stack: AsyncDisposableStack;
  readonly config: Config;
  readonly log: Log;
}

/** `gakuen kaichou` and so on: one service in this process, the others by their addresses. */
export async function runService(name: ServiceName, config: Config): Promise<void> {
  const log = createLog({ level: config.logLevel, format: config.logFormat }).child({ service: name });
  const stack = new AsyncDisposableStack();
  try {
    await starters[name]({ stack, config, log });
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  onShutdownSignals(log, () => stack.disposeAsync(), { graceMs: SHUTDOWN_GRACE_MS });
}

const starters: Record<ServiceName, (running: Running) => Promise<void>> = {
  async kaichou(running) {
    const tools = await configuredTools(running.config);
    const foundation = await shared(running);
    const encoderAddress = sourceFromKaichou(foundation.tokens, () => running.config.kaichouUrl);
    const kaichou = createKaichou({
      ...foundation,
      inspect: (source, signal) => inspectSource(source, { tools, signal }),
      encoderAddress,
      ownUrl: running.config.kaichouOwnUrl,
      watch: running.config.watch,
      log: running.log,
    });
    await serve(running, "kaichou", running.config.kaichouUrl, (server) => {
      titleControlRoutes(server, kaichou);
      sourceRoutes(server, foundation.records, foundation.tokens, {
        ownUrl: running.config.kaichouOwnUrl,
        lost: kaichou.sourceLost,
      });
    });
    const intake = await kaichou.start();
    running.stack.defer(() => intake.stop());
  },

  async kaikeishi(running) {
    const foundation = await shared(running);
    const kaikeishi = createKaikeishi({ ...foundation, log: running.log });
    await serve(running, "kaikeishi", running.config.kaikeishiUrl, (server) => ingestRoutes(server, kaikeishi));
  },

  async shoki(running) {
    const foundation = await shared(running);
    const shoki = createShoki({ ...foundation, log: running.log });
    await serve(running, "shoki", running.config.shokiUrl, (server) => {
      shoki.routes(server);
      replicaRoutes(server, foundation.records);
    });
    const publishing = shoki.start();
    running.stack.defer(() => publishing.stop());
    const { replicaUrl } = running.config;
    if (replicaUrl) {
      const replication = startReplication({ ...foundation, replicaUrl, log: running.log });
      running.stack.defer(() => replication.stop());
    }
  },

  async otetsudai(running) {
    const { stack, config, log } = running;
    const { engine, tools } = stack.use(await openEncoderFoundation(config, log));
    // Nobody calls an encoder. Where it is given a port, whatever watches over the process can ask for its health.
    const { port } = config;
    if (port !== undefined) await serve(running, "otetsudai", `http://${config.host}:${port}`, () => {});
    const ingest = createHttpIngest(config.kaikeishiUrl);
    const worker = startOtetsudai({ engine, tools, ingest, slots: config.slots, log });
    stack.defer(() => worker.close({ graceMs: CHUNK_GRACE_MS }));
    log.info({ slots: config.slots, kaikeishi: config.kaikeishiUrl }, "encoding");
  },

  async fukukaichou(running) {
    const { host, port = FRONT_DOOR_PORT } = running.config;
    await serve(running, "fukukaichou", `http://${host}:${port}`, (server) => {
      dashboardRoutes(server);
      frontDoorRoutes(server, running.config);
    });
  },
};

async function shared({ stack, config, log }: Running): Promise<Foundation> {
  if (!config.databaseUrl)
    throw new PipelineError(
      "config.invalid",
      "services of their own share a database: set GAKUEN_DATABASE_URL (the embedded one belongs to `gakuen up`)",
    );
  return stack.use(await openFoundation(config, log));
}

/** Listens where the others expect this service: on the port of its own address, unless GAKUEN_PORT says another. */
async function serve(
  { stack, config, log }: Running,
  service: ServiceName,
  ownUrl: string,
  routes: (server: HttpServer) => void,
): Promise<void> {
  const server = createHttpServer({ log, service, version });
  routes(server);
  const own = new URL(ownUrl);
  const port = config.port ?? Number(own.port || (own.protocol === "https:" ? 443 : 80));
  await listen(server, { host: config.host, port });
  stack.defer(async () => {
    server.server.closeAllConnections();
    await server.close();
  });
}
