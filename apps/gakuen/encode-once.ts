import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AddTitle, MPD_NAME, PipelineError, type PlanSettings, planPrefix, type TitleView } from "@gakuen/contracts";
import { isObjectUrl, parseSource } from "@gakuen/kaichou-intake";
import type { Config, Log } from "@gakuen/platform";
import { findTitleBySource, getTitle } from "@gakuen/records";
import { viewTitle } from "@gakuen/shoki-publisher";
import { type OneProcess, startOneProcess } from "./one-process.ts";

export interface EncodeOnce {
  /** Its data folder is the {@link workFolder}. */
  readonly config: Config;
  readonly log: Log;
  /** An absolute path or a URL. */
  readonly source: string;
  /** An absolute path. */
  readonly out: string;
  readonly settings: PlanSettings;
  readonly onProgress: (title: TitleView) => void;
  readonly signal: AbortSignal;
}

/**
 * Database, media and secret until the stream is complete; a second run of the same command finds them and goes on. (The
 * secret too: chunks that wait in the queue carry grants signed with it.)
 */
export const workFolder = (out: string): string => join(out, ".gakuen");

/**
 * `gakuen encode`: the whole pipeline for one source, without a server. Leaves a folder that any web server can serve.
 * Interrupted, it leaves its work folder, and the same command goes on from there; after an error nothing stays.
 */
export async function encodeOnce(wish: EncodeOnce): Promise<TitleView> {
  const { out } = wish;
  const work = workFolder(out);
  if (existsSync(join(out, MPD_NAME)))
    throw new PipelineError("usage.invalid", `${out} already holds a stream; choose another folder or delete it`);
  const madeOut = await mkdir(out, { recursive: true });
  const config: Config = {
    ...wish.config,
    databaseUrl: undefined,
    queueUrl: undefined,
    storeUrl: pathToFileURL(join(work, "store")).href,
    watch: [],
    replicaUrl: undefined,
  };
  await mkdir(work, { recursive: true });
  try {
    const title = await encodeInto(config, wish);
    await moveStream(join(work, "store", planPrefix(title.id, planOf(title))), out);
    await rm(work, { recursive: true });
    return title;
  } catch (error) {
    if (!wish.signal.aborted) await rm(madeOut ?? work, { recursive: true, force: true });
    throw error;
  }
}

async function encodeInto(config: Config, wish: EncodeOnce): Promise<TitleView> {
  const source = parseSource(wish.source);
  // An object of a store is read by an address that is signed when it is needed.
  const expected = isObjectUrl(wish.source) ? {} : { expected: source };
  await using gakuen = await startOneProcess({ config, log: wish.log, frontDoor: false, ...expected });
  wish.signal.throwIfAborted();
  const { records } = gakuen.foundation;
  const ended = whenEnded(gakuen, wish);
  const earlier = await findTitleBySource(records, source);
  const id =
    earlier?.id ?? (await gakuen.kaichou.add(AddTitle.parse({ source: wish.source, settings: wish.settings })));
  const row = await getTitle(records, id);
  if (row?.published) return viewTitle(records, row);
  // Awaited here: what is returned unawaited leaves the scope, and the scope's end closes everything.
  return await ended;
}

/** The title when it is complete. There is only one in this catalogue. */
function whenEnded({ shoki }: OneProcess, { onProgress, signal }: EncodeOnce): Promise<TitleView> {
  return new Promise((resolve, reject) => {
    const unsubscribe = shoki.subscribe((event) => {
      if (event.kind !== "title") return;
      onProgress(event.title);
      if (event.title.state === "ready") finish(() => resolve(event.title));
      else if (event.title.state === "failed") finish(() => reject(failureOf(event.title)));
    });
    const onAbort = (): void => finish(() => reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    function finish(settle: () => void): void {
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
      settle();
    }
  });
}

function failureOf(title: TitleView): PipelineError {
  const { code, message } = title.error ?? { code: "internal", message: "the title failed without saying why" };
  return new PipelineError(code as PipelineError["code"], message);
}

async function moveStream(from: string, to: string): Promise<void> {
  // The manifest comes last: a folder with a manifest is complete.
  const names = (await readdir(from)).sort((a, b) => Number(a === MPD_NAME) - Number(b === MPD_NAME));
  for (const name of names) await rename(join(from, name), join(to, name));
}

function planOf(title: TitleView): NonNullable<TitleView["plan"]> {
  if (title.plan) return title.plan;
  throw new PipelineError("internal", `${title.id} is ready but has no plan`);
}
