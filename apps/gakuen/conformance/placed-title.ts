import { createHash } from "node:crypto";
import {
  chunkOf,
  type ChunkRef,
  PlanSettings,
  segmentKey,
  segmentSpans,
  type TitleId,
  titlePrefix,
} from "@gakuen/contracts";
import { createLog } from "@gakuen/platform";
import {
  addReceipt,
  deleteTitle,
  insertTitle,
  moveTitle,
  openRecords,
  type Records,
  savePlan,
  takeClaim,
} from "@gakuen/records";
import { openStore } from "@gakuen/storage";
import { newTitle, type SampleFilm } from "./sample-film.ts";
import { demandSetting, type Subject } from "./subject.ts";

/** The database of the service under test, where the kit puts titles of its own, and takes them away at the end. */
export interface PlacedTitles extends AsyncDisposable {
  readonly records: Records;
  /** A new title of the film in the state `encoding`, with its plan; no job of it is queued. */
  place(film: SampleFilm): Promise<TitleId>;
  /** The SHA-256 and length of an object; undefined when it is not there or the store is not known to the kit. */
  readonly storeIsKnown: boolean;
  object(key: string): Promise<Buffer | undefined>;
  keys(title: TitleId): Promise<string[]>;
  /** Stores a segment and writes its receipt, as Kaikeishi would; its bytes. Needs the store. */
  keep(title: TitleId, film: SampleFilm, track: string, number: number): Promise<Buffer>;
}

/**
 * Errors: `config.invalid` without a database's address, `database.unavailable`. The store is looked into only where its
 * address was given.
 */
export async function openPlacedTitles({ config, storeUrl }: Subject): Promise<PlacedTitles> {
  const url = demandSetting(config.databaseUrl, "--database-url", "the kit puts a plan into the service's database");
  await using stack = new AsyncDisposableStack();
  const log = createLog({ level: "silent", format: "json" });
  const records = stack.use(await openRecords({ url, log }));
  const store = storeUrl === undefined ? undefined : await openStore(storeUrl);
  const placed: TitleId[] = [];
  stack.defer(async () => {
    for (const id of placed) {
      await deleteTitle(records, id);
      await store?.deletePrefix(titlePrefix(id));
    }
  });
  const opened = stack.move();
  return {
    records,
    async place(film) {
      const id = newTitle();
      placed.push(id);
      const source = { kind: "file", path: film.path } as const;
      await insertTitle(records, { id, name: id, source, settings: PlanSettings.parse({}), priority: 15 });
      await moveTitle(records, id, { from: ["waiting"], to: "preparing" });
      await savePlan(records, id, film);
      return id;
    },
    storeIsKnown: store !== undefined,
    async object(key) {
      if (!(await store?.stat(key)) || !store) return undefined;
      return Buffer.concat(await Array.fromAsync((await store.get(key)).body as AsyncIterable<Buffer>));
    },
    keys: async (title) =>
      store ? (await Array.fromAsync(store.list(titlePrefix(title)))).map(({ key }) => key).toSorted() : [],
    async keep(title, film, trackId, number) {
      const track = film.plan.tracks.find(({ id }) => id === trackId);
      const chunk = track && chunkOf(film.plan, track.id, number);
      if (!store || !track || !chunk) throw new Error(`the kit cannot store ${trackId}/${number}`);
      const parts = (await film.tracks(chunk.id)).get(trackId) ?? [];
      const bytes = parts[number - chunk.firstSegment + 1]?.bytes ?? Buffer.alloc(0);
      const ref = refOf(film, title, chunk.id);
      const claim = await takeClaim(records, ref);
      const [span] = segmentSpans(track, number, 1);
      if (claim.state !== "open" || !span) throw new Error(`the kit cannot claim ${chunk.id}`);
      const key = segmentKey(title, film.planId, track.id, number);
      await store.put(key, bytes, { contentType: track.kind === "video" ? "video/mp4" : "audio/mp4" });
      const { attempt } = claim;
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const receipt = { track: track.id, ...span, chunk: chunk.id, attempt, key, bytes: bytes.length, sha256 };
      await addReceipt(records, ref, attempt, receipt);
      return bytes;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export const refOf = (film: SampleFilm, title: TitleId, chunk: string): ChunkRef => film.job(title, chunk, "").ref;
