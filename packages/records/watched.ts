import type { TitleId } from "@gakuen/contracts";
import type { Records } from "./database.ts";
import { insertTitleFrom, setSourceVersion, type SourceFacts } from "./sources.ts";
import { moveTitle, type NewTitle } from "./titles.ts";

/** One version of a file or object in a watched folder or bucket. */
export interface WatchedItem {
  readonly place: string;
  /** Path or key in the place. */
  readonly name: string;
  readonly version: string;
}

/** Which versions of these names were taken in, by name; names of which none was are left out. */
export async function takenVersions(
  r: Records,
  place: string,
  names: readonly string[],
): Promise<Map<string, Set<string>>> {
  const taken = new Map<string, Set<string>>();
  if (names.length === 0) return taken;
  const rows = await r.db
    .selectFrom("watched")
    .where("place", "=", place)
    .where("name", "in", names)
    .select(["name", "version"])
    .execute();
  for (const { name, version } of rows) taken.set(name, (taken.get(name) ?? new Set()).add(version));
  return taken;
}

/** The title that an item became: a new one, or an earlier one that is tried again with it. */
export interface TakenItem {
  readonly title: TitleId;
  readonly again: boolean;
}

/**
 * Takes an item of a watched place in as `title`; undefined when it was taken before, by whomever. Of any number of
 * processes that try at the same time one succeeds, and a crash leaves all of it or nothing.
 *
 * An earlier version of the same name that never could be planned was most likely half a copy: its title is tried again
 * with this one and no second title is made.
 */
export async function takeWatched(
  r: Records,
  item: WatchedItem,
  title: NewTitle,
  facts: SourceFacts,
): Promise<TakenItem | undefined> {
  return r.db.transaction().execute(async (tx) => {
    const inTx = { ...r, db: tx };
    const won = await tx
      .insertInto("watched")
      .values({ ...item, title: title.id })
      .onConflict((conflict) => conflict.doNothing())
      .returning("title")
      .executeTakeFirst();
    if (won === undefined) return undefined;

    const earlier = await tx
      .selectFrom("watched")
      .innerJoin("titles", "titles.id", "watched.title")
      .where("place", "=", item.place)
      .where("watched.name", "=", item.name)
      .where("watched.version", "!=", item.version)
      .select(["titles.id", "titles.plan"])
      .orderBy("taken_at", "desc")
      .forUpdate("titles")
      .executeTakeFirst();
    const half = earlier?.plan === null ? (earlier.id as TitleId) : undefined;
    if (half === undefined || !(await moveTitle(inTx, half, { from: ["waiting", "failed"], to: "waiting" }))) {
      await insertTitleFrom(inTx, title, facts);
      return { title: title.id, again: false };
    }
    await setSourceVersion(inTx, half, facts.version);
    await tx
      .updateTable("watched")
      .set({ title: half })
      .where("place", "=", item.place)
      .where("name", "=", item.name)
      .where("version", "=", item.version)
      .execute();
    return { title: half, again: true };
  });
}
