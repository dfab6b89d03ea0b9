import type { ChunkRef, TrackId } from "@gakuen/contracts";
import { type Kysely, sql } from "kysely";
import type { Records } from "./database.ts";
import type { Database } from "./tables.ts";

export type TakenClaim = { readonly state: "open"; readonly attempt: number } | { readonly state: "title-gone" };

/**
 * Takes a chunk away from whoever had it: the attempt is one more than the last, so whoever writes with a lower one
 * is refused from now on. `title-gone` unless the title is being encoded by this very plan.
 *
 * Attempts are counted here and not by the queue: they keep rising even if the queue is built anew.
 */
export async function takeClaim({ db }: Records, ref: ChunkRef): Promise<TakenClaim> {
  const row = await db
    .with("live", (cte) =>
      cte
        .selectFrom("titles")
        .where("id", "=", ref.title)
        .where("plan", "=", ref.plan)
        .where("state", "=", "encoding")
        .select((eb) => [
          "id as title",
          eb.val(ref.plan).as("plan"),
          eb.val(ref.chunk).as("chunk"),
          eb.lit(1).as("attempt"),
        ])
        .forShare(),
    )
    .insertInto("claims")
    .columns(["title", "plan", "chunk", "attempt"])
    .expression((eb) => eb.selectFrom("live").select(["title", "plan", "chunk", "attempt"]))
    .onConflict((conflict) =>
      conflict
        .columns(["title", "plan", "chunk"])
        .doUpdateSet((eb) => ({ attempt: eb("claims.attempt", "+", 1), claimed_at: new Date() })),
    )
    .returning("attempt")
    .executeTakeFirst();
  return row === undefined ? { state: "title-gone" } : { state: "open", attempt: row.attempt };
}

export type ClaimCheck = "held" | "claim-lost" | "title-gone";

/**
 * Whether `attempt` still holds the chunk, and holds it until the transaction ends: a later claim and a cancel wait
 * until then, and whichever came first is seen here.
 */
export async function holdClaim(tx: Kysely<Database>, ref: ChunkRef, attempt: number): Promise<ClaimCheck> {
  const row = await tx
    .selectFrom("titles")
    .innerJoin("claims", "claims.title", "titles.id")
    .where("claims.title", "=", ref.title)
    .where("claims.plan", "=", ref.plan)
    .where("claims.chunk", "=", ref.chunk)
    .select(["titles.state", "titles.plan", "claims.attempt"])
    .forShare("titles")
    .forUpdate("claims")
    .executeTakeFirst();
  if (row === undefined || row.state !== "encoding" || row.plan !== ref.plan) return "title-gone";
  return row.attempt === attempt ? "held" : "claim-lost";
}

/**
 * Keeps every other holder of this lock away until the transaction ends. Chunks share a track's init segment, so no
 * chunk's claim decides who writes it.
 */
export async function holdInitSegment(tx: Kysely<Database>, ref: ChunkRef, track: TrackId): Promise<void> {
  const name = `gakuen ${ref.title}/${ref.plan}/${track} init`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(tx);
}
