import type { TitleId } from "@gakuen/contracts";
import type { Records } from "./database.ts";
import { insertTitle, type NewTitle } from "./titles.ts";

/** Where a title's source really lies, beyond the address that its row shows. */
export interface SourceFacts {
  /** `s3://bucket/key?…` of a source in an object store. */
  readonly object: string | null;
  /** Base URL of the Kaichou on whose machine a local source lies; null where no other is asked. */
  readonly owner: string | null;
  /** Names the content as far as its place can tell; null until it was looked at. */
  readonly version: string | null;
  /** The title is made from this version and from no other; else from whatever is found when it is prepared. */
  readonly firm: boolean;
}

/**
 * Takes a title in, in the state `waiting`, together with what is known of its source; both or neither. Joins the
 * transaction that `r.db` may be.
 */
export async function insertTitleFrom(r: Records, title: NewTitle, facts: SourceFacts): Promise<void> {
  if (!r.db.isTransaction) {
    await r.db.transaction().execute((tx) => insertTitleFrom({ ...r, db: tx }, title, facts));
    return;
  }
  await insertTitle(r, title);
  await r.db
    .insertInto("sources")
    .values({ title: title.id, ...facts })
    .execute();
}

/** Of a title that was taken in without any, nothing is known. */
export async function sourceFacts(r: Records, title: TitleId): Promise<SourceFacts> {
  const row = await r.db
    .selectFrom("sources")
    .where("title", "=", title)
    .select(["object", "owner", "version", "firm"])
    .executeTakeFirst();
  return row ?? { object: null, owner: null, version: null, firm: false };
}

/** Says which content a title is made from. A title that is gone is left alone. */
export async function setSourceVersion(r: Records, title: TitleId, version: string | null): Promise<void> {
  const firm = true;
  await r.db
    .insertInto("sources")
    .columns(["title", "version", "firm"])
    .expression((eb) =>
      eb
        .selectFrom("titles")
        .where("id", "=", title)
        .select(["id", eb.val(version).$castTo<string | null>().as("version"), eb.lit(firm).as("firm")]),
    )
    .onConflict((conflict) => conflict.column("title").doUpdateSet({ version, firm }))
    .execute();
}

/** A title that is to be prepared anew is made from whatever its source is then. */
export async function loosenSource(r: Records, title: TitleId): Promise<void> {
  await r.db.updateTable("sources").where("title", "=", title).set({ firm: false }).execute();
}
