import type { AddTitle, ChangeTitle, TitleId } from "@gakuen/contracts";
import type { Tokens } from "@gakuen/platform";
import {
  type ControlParts,
  addTitle,
  cancelTitle,
  changeTitle,
  pauseTitle,
  removeTitle,
  resumeTitle,
  retryTitle,
} from "./control-titles.ts";
import { type PrepareParts, prepareTitle } from "./prepare-title.ts";
import { reconcile, recordFailures } from "./reconcile.ts";

export type KaichouDeps = ControlParts & PrepareParts & { readonly tokens: Tokens };

export interface Kaichou {
  add(wish: AddTitle): Promise<TitleId>;
  change(id: TitleId, change: ChangeTitle): Promise<void>;
  pause(id: TitleId): Promise<void>;
  resume(id: TitleId): Promise<void>;
  cancel(id: TitleId): Promise<void>;
  retry(id: TitleId): Promise<void>;
  remove(id: TitleId): Promise<void>;
  /** Begins to prepare titles and to keep queue and records in agreement, until the returned function is called. */
  start(): Promise<{ stop(): Promise<void> }>;
}

const RECONCILE_EVERY_MS = 5000;
/** Titles inspected at the same time: inspection reads and decodes a little, planning is quick. */
const PREPARE_CONCURRENCY = 2;

/** The president: collects sources, finds out what they are, and decides what they become. */
export function createKaichou(deps: KaichouDeps): Kaichou {
  return {
    add: (wish) => addTitle(deps, wish),
    change: (id, change) => changeTitle(deps, id, change),
    pause: (id) => pauseTitle(deps, id),
    resume: (id) => resumeTitle(deps, id),
    cancel: (id) => cancelTitle(deps, id),
    retry: (id) => retryTitle(deps, id),
    remove: (id) => removeTitle(deps, id),
    async start() {
      const { engine, log } = deps;
      await reconcile(deps);
      const worker = engine.workPrepare((job, { signal }) => prepareTitle(deps, job.title, signal), {
        concurrency: PREPARE_CONCURRENCY,
      });
      const turns = inTurn((error) => log.error({ err: error }, "reconciling failed; it is tried again"));
      const timer = setInterval(() => turns.run(() => reconcile(deps)), RECONCILE_EVERY_MS);
      const unsubscribe = engine.onFailure(() => turns.run(() => recordFailures(deps)));
      return {
        async stop() {
          clearInterval(timer);
          unsubscribe();
          await worker.close();
          await turns.idle();
        },
      };
    },
  };
}

/** Runs tasks one after another; failures are told and forgotten. */
function inTurn(onError: (error: unknown) => void) {
  let last: Promise<void> = Promise.resolve();
  return {
    run(task: () => Promise<void>): void {
      last = last.then(task).catch(onError);
    },
    idle: () => last,
  };
}
