import type { AddTitle, ChangeTitle, PipelineError, TitleId } from "@gakuen/contracts";
import {
  type ControlParts,
  addTitle,
  cancelTitle,
  changeTitle,
  failLostSource,
  pauseTitle,
  removeTitle,
  resumeTitle,
  retryTitle,
} from "./control-titles.ts";
import { objectOpener } from "./open-objects.ts";
import { type PrepareParts, prepareTitle } from "./prepare-title.ts";
import { reconcile, recordFailures } from "./reconcile.ts";
import { watch, watchedPlace } from "./watch.ts";
import type { WatchedPlace } from "./watched-place.ts";

export type KaichouDeps = ControlParts &
  Omit<PrepareParts, "openObjects"> & {
    /** Folders and buckets whose films are taken in: paths, file:// and s3:// URLs. */
    readonly watch?: readonly (string | WatchedPlace)[];
  };

export interface Kaichou {
  add(wish: AddTitle): Promise<TitleId>;
  change(id: TitleId, change: ChangeTitle): Promise<void>;
  pause(id: TitleId): Promise<void>;
  resume(id: TitleId): Promise<void>;
  cancel(id: TitleId): Promise<void>;
  retry(id: TitleId): Promise<void>;
  remove(id: TitleId): Promise<void>;
  /** Fails a title whose source is not there any more as it was planned. */
  sourceLost(id: TitleId, error: PipelineError): Promise<void>;
  /**
   * Begins to prepare titles, to keep queue and records in agreement and to watch places, until the returned function is
   * called.
   */
  start(): Promise<{ stop(): Promise<void> }>;
}

const RECONCILE_EVERY_MS = 5000;
/** Titles inspected at the same time: inspection reads and decodes a little, planning is quick. */
const PREPARE_CONCURRENCY = 2;

/** The president: collects sources, finds out what they are, and decides what they become. */
export function createKaichou(given: KaichouDeps): Kaichou {
  const deps = { ...given, openObjects: objectOpener() };
  return {
    add: (wish) => addTitle(deps, wish),
    change: (id, change) => changeTitle(deps, id, change),
    pause: (id) => pauseTitle(deps, id),
    resume: (id) => resumeTitle(deps, id),
    cancel: (id) => cancelTitle(deps, id),
    retry: (id) => retryTitle(deps, id),
    remove: (id) => removeTitle(deps, id),
    sourceLost: (id, error) => failLostSource(deps, id, error),
    async start() {
      const { engine, log } = deps;
      await reconcile(deps);
      const worker = engine.workPrepare((job, { signal }) => prepareTitle(deps, job.title, signal), {
        concurrency: PREPARE_CONCURRENCY,
      });
      const turns = inTurn((error) => log.error({ err: error }, "reconciling failed; it is tried again"));
      const timer = setInterval(() => turns.run(() => reconcile(deps)), RECONCILE_EVERY_MS);
      const watching = new AbortController();
      const watches = (deps.watch ?? []).map((place) =>
        watch(deps, typeof place === "string" ? watchedPlace(place) : place, watching.signal),
      );
      const unsubscribe = engine.onFailure(() => turns.run(() => recordFailures(deps)));
      return {
        async stop() {
          clearInterval(timer);
          watching.abort();
          unsubscribe();
          await worker.close();
          await Promise.all([turns.idle(), ...watches]);
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
