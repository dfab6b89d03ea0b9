import type { ChunkId, ChunkRef, PlanId, TitleId, TrackId } from "@gakuen/contracts";
import type { Kysely } from "kysely";
import { holdClaim } from "./claims.ts";
import type { Records } from "./database.ts";
import { notify } from "./events.ts";
import type { Database } from "./tables.ts";

/** Proof that a segment is durably stored; it exists only after the store acknowledged the object. */
export interface Receipt {
  readonly track: TrackId;
  /** 0 is the track's init segment. */
  readonly number: number;
  /** The chunk and attempt that stored it. */
  readonly chunk: ChunkId;
  readonly attempt: number;
  /** Object key in the store. */
  readonly key: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Ticks of the track's timescale from the title's start. */
  readonly start: number;
  /** Ticks. */
  readonly duration: number;
}

/**
 * stored: the receipt is there (now, or from before with the same checksum). conflict: there is one with another
 * checksum, nothing was written. claim-lost: a later attempt has the chunk. title-gone: cancelled, removed or
 * planned anew.
 */
export type AddedReceipt = "stored" | "conflict" | "claim-lost" | "title-gone";

const fields = ["track", "number", "chunk", "attempt", "key", "bytes", "sha256", "start", "duration"] as const;

type ReceiptValues = Omit<Receipt, "track" | "chunk"> & { readonly track: string; readonly chunk: string };
const toReceipt = (row: ReceiptValues): Receipt => row as Receipt;

/** Adds a receipt in a transaction that holds only while `attempt` holds the claim and the title is being encoded. */
export async function addReceipt(r: Records, ref: ChunkRef, attempt: number, receipt: Receipt): Promise<AddedReceipt> {
  return r.db.transaction().execute(async (tx) => {
    const claim = await holdClaim(tx, ref, attempt);
    return claim === "held" ? insertReceipt(tx, ref, receipt) : claim;
  });
}

/** The same within a transaction that holds the claim already ({@link holdClaim}). */
export async function insertReceipt(
  tx: Kysely<Database>,
  ref: ChunkRef,
  receipt: Receipt,
): Promise<"stored" | "conflict"> {
  const place = { title: ref.title, plan: ref.plan, track: receipt.track, number: receipt.number };
  const added = await tx
    .insertInto("receipts")
    .values({ ...receipt, ...place })
    .onConflict((conflict) => conflict.doNothing())
    .returning(notify({ kind: "segment", ...place }).as("notified"))
    .executeTakeFirst();
  if (added !== undefined) return "stored";
  const present = await tx
    .selectFrom("receipts")
    .where("title", "=", ref.title)
    .where("plan", "=", ref.plan)
    .where("track", "=", receipt.track)
    .where("number", "=", receipt.number)
    .select("sha256")
    .executeTakeFirstOrThrow();
  return present.sha256 === receipt.sha256 ? "stored" : "conflict";
}

/** Receipts that this chunk stored, with the init segments that it was the first to store; by track, then number. */
export async function chunkReceipts(r: Records, ref: ChunkRef): Promise<Receipt[]> {
  const rows = await r.db
    .selectFrom("receipts")
    .where("title", "=", ref.title)
    .where("plan", "=", ref.plan)
    .where("chunk", "=", ref.chunk)
    .select(fields)
    .orderBy("track")
    .orderBy("number")
    .execute();
  return rows.map(toReceipt);
}

/**
 * Forgets the media segments of a chunk, so that all of it is written anew. Init segments stay: other chunks need them.
 * False (and nothing is dropped) when `attempt` does not hold the claim any more.
 */
export async function dropChunkReceipts(r: Records, ref: ChunkRef, attempt: number): Promise<boolean> {
  return r.db.transaction().execute(async (tx) => {
    if ((await holdClaim(tx, ref, attempt)) !== "held") return false;
    await tx
      .deleteFrom("receipts")
      .where("title", "=", ref.title)
      .where("plan", "=", ref.plan)
      .where("chunk", "=", ref.chunk)
      .where("number", ">", 0)
      .execute();
    return true;
  });
}

/**
 * Forgets those media segments of a chunk whose objects are gone, so that they are written anew; init segments stay, as
 * above. False (and nothing is dropped) when `attempt` does not hold the claim any more.
 */
export async function dropLostReceipts(
  r: Records,
  ref: ChunkRef,
  attempt: number,
  lost: readonly Receipt[],
): Promise<boolean> {
  return r.db.transaction().execute(async (tx) => {
    if ((await holdClaim(tx, ref, attempt)) !== "held") return false;
    for (const { track, number, attempt: storedBy } of lost)
      await tx
        .deleteFrom("receipts")
        .where("title", "=", ref.title)
        .where("plan", "=", ref.plan)
        .where("chunk", "=", ref.chunk)
        .where("track", "=", track)
        .where("number", "=", number)
        .where("number", ">", 0)
        // Not one that was written since they were looked for.
        .where("attempt", "=", storedBy)
        .execute();
    return true;
  });
}

export async function findReceipt(
  r: Records,
  title: TitleId,
  plan: PlanId,
  track: TrackId,
  number: number,
): Promise<Receipt | undefined> {
  const row = await r.db
    .selectFrom("receipts")
    .where("title", "=", title)
    .where("plan", "=", plan)
    .where("track", "=", track)
    .where("number", "=", number)
    .select(fields)
    .executeTakeFirst();
  return row === undefined ? undefined : toReceipt(row);
}

/** All receipts of a plan, by track, then number. */
export async function planReceipts(r: Records, title: TitleId, plan: PlanId): Promise<Receipt[]> {
  const rows = await r.db
    .selectFrom("receipts")
    .where("title", "=", title)
    .where("plan", "=", plan)
    .select(fields)
    .orderBy("track")
    .orderBy("number")
    .execute();
  return rows.map(toReceipt);
}

/** How many media segments of a plan are stored; init segments are not counted. */
export async function countReceipts(r: Records, title: TitleId, plan: PlanId): Promise<number> {
  const { stored } = await r.db
    .selectFrom("receipts")
    .where("title", "=", title)
    .where("plan", "=", plan)
    .where("number", ">", 0)
    .select((eb) => eb.fn.countAll<number>().as("stored"))
    .executeTakeFirstOrThrow();
  return stored;
}
