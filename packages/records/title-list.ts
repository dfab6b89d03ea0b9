import { PipelineError, type SourceAddress, type TitleState } from "@gakuen/contracts";
import { sql } from "kysely";
import type { Records } from "./database.ts";
import type { StoredTitleState } from "./tables.ts";
import { selectTitles, type TitleRow, toTitleRow } from "./title-row.ts";

export interface TitleQuery {
  /** Part of a name or id, any case. */
  readonly search?: string | undefined;
  /** As the API tells it: a title whose plan is published is `ready` and not `encoding`. */
  readonly state?: TitleState | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

/**
 * Titles, newest first, a page at a time. Pages neither repeat nor skip titles when new ones come in between.
 *
 * @throws PipelineError `usage.invalid` when `after` is not a cursor that this function gave.
 */
export async function listTitles(r: Records, query: TitleQuery): Promise<{ rows: TitleRow[]; next: string | null }> {
  let select = selectTitles(r)
    .orderBy("titles.created_at", "desc")
    .orderBy("titles.id", "desc")
    .limit(query.limit + 1);
  if (query.search !== undefined && query.search !== "") {
    const pattern = `%${query.search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
    select = select.where((eb) => eb.or([eb("titles.name", "ilike", pattern), eb("titles.id", "ilike", pattern)]));
  }
  if (query.state === "ready") select = select.where("publications.published_at", "is not", null);
  else if (query.state !== undefined)
    select = select.where("titles.state", "=", query.state).where("publications.published_at", "is", null);
  if (query.after !== undefined) {
    const { createdAt, id } = readCursor(query.after);
    select = select.where(sql<boolean>`(titles.created_at, titles.id) < (${createdAt}::timestamptz, ${id})`);
  }
  const found = (await select.execute()).map(toTitleRow);
  const rows = found.slice(0, query.limit);
  const last = rows.at(-1);
  return { rows, next: found.length > query.limit && last !== undefined ? writeCursor(last) : null };
}

/** All titles in any of these states, oldest first. */
export async function titlesInStates(r: Records, states: readonly StoredTitleState[]): Promise<TitleRow[]> {
  const rows = await selectTitles(r)
    .where("titles.state", "in", states)
    .orderBy("titles.created_at")
    .orderBy("titles.id")
    .execute();
  return rows.map(toTitleRow);
}

/** The newest title of this source that is under way or ready: not failed, cancelled or removing. */
export async function findTitleBySource(r: Records, source: SourceAddress): Promise<TitleRow | undefined> {
  const row = await selectTitles(r)
    .where("titles.source", "=", sql`${JSON.stringify(source)}::jsonb`)
    .where("titles.state", "not in", ["failed", "cancelled", "removing"])
    .orderBy("titles.created_at", "desc")
    .orderBy("titles.id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toTitleRow(row);
}

function writeCursor(row: TitleRow): string {
  return Buffer.from(`${row.createdAt.toISOString()} ${row.id}`).toString("base64url");
}

function readCursor(cursor: string): { createdAt: string; id: string } {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([a-z0-9-]+)$/.exec(
    Buffer.from(cursor, "base64url").toString("utf8"),
  );
  const [, createdAt, id] = parts ?? [];
  if (createdAt === undefined || id === undefined) {
    throw new PipelineError("usage.invalid", "this is not the cursor of a list of titles; begin again without it");
  }
  return { createdAt, id };
}
