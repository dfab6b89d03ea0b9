import type { TitleId, TitleView } from "@gakuen/contracts";
import type { Log } from "@gakuen/platform";
import { getTitle, listTitles, type Records } from "@gakuen/records";
import { viewTitle } from "./catalogue.ts";

export type CatalogueEvent =
  | { readonly kind: "title"; readonly title: TitleView }
  | { readonly kind: "removed"; readonly id: TitleId };

export type CatalogueListener = (event: CatalogueEvent) => void;

/** A title with forty segments a second is told about four times a second. */
const TELL_EVERY_MS = 250;
const RESYNC_TITLES = 500;

/** Tells listeners how titles change, gathered so that the cost does not grow with the number of segments. */
export class LiveCatalogue {
  readonly #records: Records;
  readonly #log: Log;
  readonly #listeners = new Set<CatalogueListener>();
  readonly #changed = new Set<TitleId>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(records: Records, log: Log) {
    this.#records = records;
    this.#log = log;
    this.#unsubscribe = records.events.subscribe((event) => {
      if (this.#listeners.size === 0) return;
      if (event.kind === "resync") void this.#resync();
      else this.#note(event.title);
    });
  }

  subscribe(listener: CatalogueListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#unsubscribe();
    this.#listeners.clear();
    clearTimeout(this.#timer);
  }

  #note(title: TitleId): void {
    this.#changed.add(title);
    this.#timer ??= setTimeout(() => {
      void this.#tell().catch((error: unknown) => this.#log.warn({ err: error }, "telling listeners failed"));
    }, TELL_EVERY_MS);
  }

  async #resync(): Promise<void> {
    const { rows } = await listTitles(this.#records, { limit: RESYNC_TITLES });
    for (const row of rows) this.#note(row.id);
  }

  async #tell(): Promise<void> {
    this.#timer = undefined;
    const ids = [...this.#changed];
    this.#changed.clear();
    for (const id of ids) {
      const row = await getTitle(this.#records, id);
      const event: CatalogueEvent = row
        ? { kind: "title", title: await viewTitle(this.#records, row) }
        : { kind: "removed", id };
      for (const listener of this.#listeners) listener(event);
    }
  }
}
