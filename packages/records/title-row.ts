import { type PlanId, PlanSettings, SourceAddress, type TitleId } from "@gakuen/contracts";
import { type ExpressionBuilder, sql } from "kysely";
import type { Records } from "./database.ts";
import type { Database, StoredTitleState } from "./tables.ts";

export type { StoredTitleState };

/** What went wrong with a title, for its owner. */
export interface TitleError {
  readonly code: string;
  readonly message: string;
}

/** A title and how far it is. Its inspection is long and read apart (`getInspection`). */
export interface TitleRow {
  readonly id: TitleId;
  readonly name: string;
  readonly source: SourceAddress;
  readonly settings: PlanSettings;
  /** 0 first, 15 last. */
  readonly priority: number;
  readonly state: StoredTitleState;
  readonly error: TitleError | null;
  /** The current plan; null until the title is planned. */
  readonly plan: PlanId | null;
  /** The current plan is published: the title is ready. */
  readonly published: boolean;
  /** Media segments of the current plan over all tracks; null until the title is planned. */
  readonly plannedSegments: number | null;
  /** How many of them have receipts. */
  readonly storedSegments: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Titles with their progress, in one query. A published plan is complete, so only the others are counted. */
export function selectTitles({ db }: Records) {
  return db
    .selectFrom("titles")
    .leftJoin("plans", (join) => join.onRef("plans.title", "=", "titles.id").onRef("plans.id", "=", "titles.plan"))
    .leftJoin("publications", (join) =>
      join.onRef("publications.title", "=", "titles.id").onRef("publications.plan", "=", "titles.plan"),
    )
    .select(["titles.id", "titles.name", "titles.source", "titles.settings", "titles.priority", "titles.state"])
    .select(["titles.error", "titles.plan", "titles.created_at", "titles.updated_at"])
    .select(["plans.segments", "publications.published_at"])
    .select((eb) =>
      eb
        .case()
        .when("publications.published_at", "is not", null)
        .then(eb.ref("plans.segments"))
        .else(countStored(eb))
        .end()
        .as("stored"),
    );
}

function countStored(eb: ExpressionBuilder<Database, "titles">) {
  return eb
    .selectFrom("receipts")
    .whereRef("receipts.title", "=", "titles.id")
    .whereRef("receipts.plan", "=", "titles.plan")
    .where("receipts.number", ">", 0)
    .select(sql<number>`count(*)::integer`.as("stored"));
}

type Selected = Awaited<ReturnType<ReturnType<typeof selectTitles>["execute"]>>[number];

export function toTitleRow(row: Selected): TitleRow {
  return {
    id: row.id as TitleId,
    name: row.name,
    source: SourceAddress.parse(row.source),
    settings: PlanSettings.parse(row.settings),
    priority: row.priority,
    state: row.state,
    error: row.error as TitleError | null,
    plan: row.plan as PlanId | null,
    published: row.published_at !== null,
    plannedSegments: row.segments,
    storedSegments: row.stored ?? 0,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
