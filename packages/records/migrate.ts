import { PipelineError } from "@gakuen/contracts";
import type { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { up as titlesPlansReceipts } from "./migrations/0001-titles-plans-receipts.ts";
import { up as sourcesWatchedReplicas } from "./migrations/0002-sources-watched-replicas.ts";
import { up as pausedTitles } from "./migrations/0003-paused-titles.ts";
import type { Database } from "./tables.ts";

/** In the order of their names; a migration that was released is never changed, only followed by another. */
const migrations = {
  "0001-titles-plans-receipts": { up: titlesPlansReceipts },
  "0002-sources-watched-replicas": { up: sourcesWatchedReplicas },
  "0003-paused-titles": { up: pausedTitles },
};

/**
 * Brings the schema `gakuen` up to date. Any number of processes may do it at once: an advisory lock lets one work
 * and the others find nothing left to do.
 *
 * @throws PipelineError `config.invalid` when the database was written by a newer version.
 */
export async function migrate(db: Kysely<Database>): Promise<void> {
  const migrator = new Migrator({
    db,
    migrationTableSchema: "gakuen",
    provider: { getMigrations: async () => migrations },
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (error instanceof Error && error.message.startsWith("corrupted migrations")) {
    throw new PipelineError(
      "config.invalid",
      `the database was set up by another version of Gakuen (${error.message}); start that version, or give this one a database of its own`,
      { cause: error },
    );
  }
  throw error;
}
