import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PlanSettings } from "@gakuen/contracts";
import { takenVersions, takeWatched } from "@gakuen/records";
import type { ControlParts } from "./control-titles.ts";
import { isObjectUrl } from "./object-address.ts";
import { bucketOpener } from "./open-objects.ts";
import { nameFromSource, newTitleId } from "./title-name.ts";
import { watchedBucket } from "./watch-bucket.ts";
import { watchedFolder } from "./watch-folder.ts";
import type { SeenFilm, WatchedPlace } from "./watched-place.ts";

const PRIORITY = 8;
/** Names asked of the database at once. */
const BATCH = 200;
/** A place that takes long to look through is looked at less often. */
const PAUSE_PER_LOOK = 10;
/** So many files that are no films are told of, for whoever wonders why one was not taken. */
const OTHERS_TOLD = 20;

/** What a setting or a person calls a place: a folder's absolute path or file:// URL, or `s3://bucket/prefix`. */
export function watchedPlace(text: string, open = bucketOpener()): WatchedPlace {
  if (isObjectUrl(text)) return watchedBucket(text, open);
  return watchedFolder((/^file:/i.test(text) ? fileURLToPath(text) : text).replace(/(?<=.)\/+$/, ""));
}

/**
 * Takes in every film of a place, each of its versions once, whoever else watches it and however often it is begun. Who
 * takes one in is decided by a unique key in the database. Ends when the signal fires.
 */
export async function watch(parts: ControlParts, place: WatchedPlace, signal: AbortSignal): Promise<void> {
  const { log } = parts;
  const looker = new Looker(parts, place);
  let failed = false;
  while (!signal.aborted) {
    const start = performance.now();
    try {
      await looker.look(signal);
      if (failed) log.info({ place: place.shown }, "the watched place can be read again");
      failed = false;
    } catch (error) {
      if (!failed) log.warn({ err: error, place: place.shown }, "a watched place cannot be read; it is tried again");
      failed = true;
    }
    const pause = Math.max(place.everyMs, PAUSE_PER_LOOK * (performance.now() - start));
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
}

interface Candidate {
  readonly version: string;
  readonly since: number;
}

class Looker {
  readonly #parts: ControlParts;
  readonly #place: WatchedPlace;
  /** Films that wait until they have looked the same for long enough. */
  #candidates = new Map<string, Candidate>();
  /** Versions that were taken, as far as this process knows. */
  #taken = new Map<string, string>();
  readonly #told = new Set<string>();

  constructor(parts: ControlParts, place: WatchedPlace) {
    this.#parts = parts;
    this.#place = place;
  }

  async look(signal: AbortSignal): Promise<void> {
    const candidates = new Map<string, Candidate>();
    const taken = new Map<string, string>();
    let settled: SeenFilm[] = [];
    const takeSettled = async (): Promise<void> => {
      for (const film of await this.#untaken(settled)) await this.#take(film);
      for (const { name, version } of settled) taken.set(name, version);
      settled = [];
    };
    for await (const film of this.#place.films((name) => this.#tellOther(name))) {
      if (signal.aborted) return;
      const { name, version } = film;
      if (this.#taken.get(name) === version) taken.set(name, version);
      else if (this.#isSettled(film, candidates)) settled.push(film);
      if (settled.length >= BATCH) await takeSettled();
    }
    await takeSettled();
    // What was not seen is forgotten: the database remembers.
    this.#candidates = candidates;
    this.#taken = taken;
  }

  #isSettled({ name, version }: SeenFilm, candidates: Map<string, Candidate>): boolean {
    const before = this.#candidates.get(name);
    const now = performance.now();
    const candidate = before?.version === version ? before : { version, since: now };
    candidates.set(name, candidate);
    return now - candidate.since >= this.#place.settleMs;
  }

  async #untaken(films: readonly SeenFilm[]): Promise<SeenFilm[]> {
    const names = films.map(({ name }) => name);
    const taken = await takenVersions(this.#parts.records, this.#place.place, names);
    return films.filter(({ name, version }) => !taken.get(name)?.has(version));
  }

  async #take({ name, version, source, object }: SeenFilm): Promise<void> {
    const { records, engine, log, ownUrl } = this.#parts;
    const titleName = nameFromSource(source);
    const id = newTitleId(titleName);
    const owner = source.kind === "file" ? (ownUrl ?? null) : null;
    const taken = await takeWatched(
      records,
      { place: this.#place.place, name, version },
      { id, name: titleName, source, settings: PlanSettings.parse({}), priority: PRIORITY },
      { object, owner, version, firm: true },
    );
    if (!taken) return;
    if (taken.again) {
      await engine.cancelTitle(taken.title);
      await engine.clearFailures(taken.title);
    }
    await engine.addPrepare({ title: taken.title }, { priority: PRIORITY + 1 });
    log.info({ title: taken.title, source: name, place: this.#place.shown }, "title taken in from a watched place");
  }

  #tellOther(name: string): void {
    if (this.#told.size >= OTHERS_TOLD || this.#told.has(name)) return;
    this.#told.add(name);
    this.#parts.log.info({ name, place: this.#place.shown }, "not taken in: by its name it is no film");
  }
}
