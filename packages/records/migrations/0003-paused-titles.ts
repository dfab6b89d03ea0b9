import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table gakuen.titles
      drop constraint titles_state_check,
      add constraint titles_state_check check
        (state in ('waiting', 'preparing', 'encoding', 'paused', 'failed', 'cancelled', 'removing'))`.execute(db);
}
