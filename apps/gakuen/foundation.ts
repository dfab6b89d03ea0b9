import { join } from "node:path";
import { PipelineError } from "@gakuen/contracts";
import { type Engine, openEngine } from "@gakuen/engine";
import { findTools, type Tools } from "@gakuen/ffmpeg";
import { type Config, createTokens, type Log, type Tokens } from "@gakuen/platform";
import { openRecords, type Records, startEmbeddedPostgres } from "@gakuen/records";
import { type ObjectStore, openStore } from "@gakuen/storage";

/** What services are made of: one of each per process, shared by all services in it. */
export interface Foundation extends AsyncDisposable {
  readonly records: Records;
  readonly engine: Engine;
  readonly store: ObjectStore;
  readonly tokens: Tokens;
}

/** Opens database (starting the embedded one when none is given), queue and store; closes them in reverse. */
export async function openFoundation(config: Config, log: Log): Promise<Foundation> {
  await using stack = new AsyncDisposableStack();
  const databaseUrl = config.databaseUrl ?? stack.use(await startEmbedded(config, log)).url;
  const [records, engine, store] = await Promise.all([
    openRecords({ url: databaseUrl, log }),
    openEngine({ url: config.queueUrl ?? databaseUrl, log }),
    openStore(config.storeUrl),
  ]);
  stack.use(records);
  stack.use(engine);
  const tokens = createTokens(config.secret);
  const opened = stack.move();
  return { records, engine, store, tokens, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** ffmpeg as configured. Given no more than that: whoever copies a whole configuration has asked for its secret. */
export function configuredTools({ ffmpeg, ffprobe }: Config): Promise<Tools> {
  return findTools({ ffmpeg, ffprobe });
}

/** What an encoder alone needs: the queue and ffmpeg. */
export async function openEncoderFoundation(
  config: Config,
  log: Log,
): Promise<{ engine: Engine; tools: Tools } & AsyncDisposable> {
  const url = config.queueUrl ?? config.databaseUrl;
  if (!url)
    throw new PipelineError(
      "config.invalid",
      "an encoder of its own needs GAKUEN_QUEUE_URL or GAKUEN_DATABASE_URL: the address of the queue it takes chunks from",
    );
  const tools = await configuredTools(config);
  const engine = await openEngine({ url, log, worksOnly: true });
  return { engine, tools, [Symbol.asyncDispose]: () => engine.close() };
}

function startEmbedded(config: Config, log: Log) {
  return startEmbeddedPostgres({ folder: join(config.dataDir, "postgres"), log });
}
