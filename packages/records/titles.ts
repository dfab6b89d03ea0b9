import {
  Inspection,
  type Plan,
  type PlanId,
  type PlanSettings,
  planSegmentCount,
  type SourceAddress,
  type TitleId,
} from "@gakuen/contracts";
import type { Records } from "./database.ts";
import { notify } from "./events.ts";
import type { StoredTitleState } from "./tables.ts";
import { selectTitles, type TitleError, type TitleRow, toTitleRow } from "./title-row.ts";

export interface NewTitle {
  readonly id: TitleId;
  readonly name: string;
  readonly source: SourceAddress;
  readonly settings: PlanSettings;
  readonly priority: number;
}

/** Takes a title in, in the state `waiting`. */
export async function insertTitle(r: Records, title: NewTitle): Promise<void> {
  await r.db
    .with("inserted", (db) =>
      db
        .insertInto("titles")
        .values({
          id: title.id,
          name: title.name,
          source: JSON.stringify(title.source),
          settings: JSON.stringify(title.settings),
          priority: title.priority,
          state: "waiting",
        })
        .returning("id"),
    )
    .selectFrom("inserted")
    .select(notify({ kind: "title", title: title.id }).as("notified"))
    .execute();
}

export async function getTitle(r: Records, id: string): Promise<TitleRow | undefined> {
  const row = await selectTitles(r).where("titles.id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toTitleRow(row);
}

/** What the source was found to be; undefined until the title is planned. */
export async function getInspection(r: Records, id: TitleId): Promise<Inspection | undefined> {
  const row = await r.db.selectFrom("titles").where("id", "=", id).select("inspection").executeTakeFirst();
  return row?.inspection == null ? undefined : Inspection.parse(row.inspection);
}

export interface TitleMove {
  readonly from: readonly StoredTitleState[];
  readonly to: StoredTitleState;
  readonly error?: TitleError | undefined;
}

/**
 * Moves a title on only if it is still in one of the states `from`. Sets the error, or clears it when none is given.
 * False when the title was in another state, or is gone.
 */
export async function moveTitle(r: Records, id: TitleId, move: TitleMove): Promise<boolean> {
  const moved = await r.db
    .with("moved", (db) =>
      db
        .updateTable("titles")
        .set({
          state: move.to,
          error: move.error === undefined ? null : JSON.stringify(move.error),
          updated_at: new Date(),
        })
        .where("id", "=", id)
        .where("state", "in", move.from)
        .returning("id"),
    )
    .selectFrom("moved")
    .select(notify({ kind: "title", title: id }).as("notified"))
    .execute();
  return moved.length > 0;
}

export interface PlannedTitle {
  readonly inspection: Inspection;
  readonly plan: Plan;
  readonly planId: PlanId;
}

/**
 * Stores the plan and makes it the title's current one: preparing → encoding, in one transaction.
 * False (and nothing is written) when the title is not `preparing`: it was cancelled, or this was done before.
 */
export async function savePlan(r: Records, id: TitleId, planned: PlannedTitle): Promise<boolean> {
  return r.db.transaction().execute(async (tx) => {
    const updated = await tx
      .updateTable("titles")
      .set({
        state: "encoding",
        error: null,
        plan: planned.planId,
        inspection: JSON.stringify(planned.inspection),
        updated_at: new Date(),
      })
      .where("id", "=", id)
      .where("state", "=", "preparing")
      .returning(notify({ kind: "title", title: id }).as("notified"))
      .executeTakeFirst();
    if (updated === undefined) return false;
    await tx
      .insertInto("plans")
      .values({
        title: id,
        id: planned.planId,
        body: JSON.stringify(planned.plan),
        segments: planSegmentCount(planned.plan),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return true;
  });
}

/** False when there is no such title. */
export async function setTitlePriority(r: Records, id: TitleId, priority: number): Promise<boolean> {
  const updated = await r.db
    .updateTable("titles")
    .set({ priority, updated_at: new Date() })
    .where("id", "=", id)
    .returning(notify({ kind: "title", title: id }).as("notified"))
    .executeTakeFirst();
  return updated !== undefined;
}

/** Forgets a title with its plans, claims, receipts and publications. False when there is no such title. */
export async function deleteTitle(r: Records, id: TitleId): Promise<boolean> {
  const deleted = await r.db
    .deleteFrom("titles")
    .where("id", "=", id)
    .returning(notify({ kind: "title", title: id }).as("notified"))
    .executeTakeFirst();
  return deleted !== undefined;
}
