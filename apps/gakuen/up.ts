import { createWriteStream, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { AddTitle, type TitleId } from "@gakuen/contracts";
import { parseSource } from "@gakuen/kaichou-intake";
import { type Config, createLog, type Log, onShutdownSignals } from "@gakuen/platform";
import { findTitleBySource, listTitles } from "@gakuen/records";
import { viewTitle } from "@gakuen/shoki-publisher";
import { type OneProcess, startOneProcess } from "./one-process.ts";
import { showProgress } from "./show-progress.ts";
import { sample } from "./sample.ts";

const SHUTDOWN_GRACE_MS = 15_000;
const SHOWN_TITLES = 20;

/** `gakuen up [FILE…]`: everything in one process, until it is told to stop. */
export async function up(config: Config, files: readonly string[]): Promise<void> {
  const log = createUpLog(config);
  const gakuen = await startOneProcess({ config, log, frontDoor: true });
  const url = gakuen.url ?? "";
  const display = showProgress({ output: process.stdout, urlOf: (path) => new URL(path, url).href });
  display.say(`Gakuen is up: ${url}   (Ctrl-C stops it; nothing is lost)`);
  if (process.stderr.isTTY) display.say(`Log: ${logFile(config)}`);
  const unsubscribe = gakuen.shoki.subscribe((event) => {
    if (event.kind === "title") display.show(event.title);
  });
  onShutdownSignals(
    log,
    async () => {
      unsubscribe();
      display.close();
      await gakuen[Symbol.asyncDispose]();
    },
    { graceMs: SHUTDOWN_GRACE_MS },
  );
  await takeIn(gakuen, files);
  await showExisting(gakuen, display);
}

/** What is named is taken in once, however often the command is repeated; an empty catalogue gets the sample. */
async function takeIn({ kaichou, foundation: { records } }: OneProcess, files: readonly string[]): Promise<void> {
  const add = (source: string, name?: string): Promise<TitleId> =>
    kaichou.add(AddTitle.parse({ source, ...(name === undefined ? {} : { name }) }));
  for (const file of files) {
    const source = /^[a-z]+:\/\//i.test(file) ? file : resolve(file);
    if (!(await findTitleBySource(records, parseSource(source)))) await add(source);
  }
  const { rows } = await listTitles(records, { limit: 1 });
  if (rows.length === 0) await add(sample.path, sample.name);
}

async function showExisting({ foundation: { records } }: OneProcess, display: ReturnType<typeof showProgress>) {
  const { rows } = await listTitles(records, { limit: SHOWN_TITLES });
  for (const row of rows.toReversed()) display.show(await viewTitle(records, row));
}

const logFile = (config: Config): string => join(config.dataDir, "gakuen.log");

/** On a terminal the screen belongs to the progress bars and the log goes to a file; else the log goes to stderr. */
function createUpLog(config: Config): Log {
  if (!process.stderr.isTTY) return createLog({ level: config.logLevel, format: config.logFormat });
  mkdirSync(config.dataDir, { recursive: true });
  const destination = createWriteStream(logFile(config), { flags: "a" });
  return createLog({ level: config.logLevel, format: config.logFormat, destination });
}
