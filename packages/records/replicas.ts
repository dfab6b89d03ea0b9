import { randomUUID } from "node:crypto";
import type { PlanId, TitleId } from "@gakuen/contracts";
import { type ExpressionBuilder, sql } from "kysely";
import type { Records } from "./database.ts";
import type { Database } from "./tables.ts";
import type { TitleError } from "./title-row.ts";

/** A plan that must be copied to the second store, or be removed from there because its title is gone. */
export interface ReplicaTask {
  readonly destination: string;
  readonly title: TitleId;
  readonly plan: PlanId;
  readonly work: "copy" | "remove";
  /** Tries in a row that went wrong. */
  readonly failures: number;
  /** Proof that the task is ours; see {@link renewReplica}. */
  readonly lease: string;
}

/** How the copy of a plan stands. */
export interface ReplicaState {
  readonly destination: string;
  readonly plan: PlanId;
  readonly copiedAt: Date | null;
  readonly objects: number;
  readonly bytes: number;
  readonly error: TitleError | null;
}

/** A lease without renewal ends after this; what it was for is then anybody's again. */
const LEASE = sql<Date>`clock_timestamp() + interval '30 seconds'`;

/**
 * The next plan to copy to `destination` or to remove there, for this caller alone until its lease ends. Every published
 * plan comes once; a row is written before the first object is copied, so that nothing can lie there unknown.
 */
export async function takeReplica(r: Records, destination: string): Promise<ReplicaTask | undefined> {
  await r.db
    .insertInto("replicas")
    .columns(["destination", "title", "plan"])
    .expression((eb) =>
      eb
        .selectFrom("publications")
        .where((p) => p.exists(titleOf(p, "publications")))
        .where((p) =>
          p.not(
            p.exists(
              p
                .selectFrom("replicas")
                .where("replicas.destination", "=", destination)
                .whereRef("replicas.title", "=", "publications.title")
                .whereRef("replicas.plan", "=", "publications.plan")
                .select("replicas.title"),
            ),
          ),
        )
        .select([eb.val(destination).as("destination"), "publications.title", "publications.plan"]),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();

  const lease = randomUUID();
  const row = await r.db
    .with("next", (db) =>
      db
        .selectFrom("replicas")
        .where("destination", "=", destination)
        .where("due_at", "<=", sql<Date>`clock_timestamp()`)
        .where((eb) => eb.or([eb("leased_until", "is", null), eb("leased_until", "<", sql<Date>`clock_timestamp()`)]))
        .where((eb) => eb.or([eb("copied_at", "is", null), eb.not(eb.exists(titleOf(eb, "replicas")))]))
        .select(["title", "plan"])
        .select((eb) => eb.exists(titleOf(eb, "replicas")).as("wanted"))
        .orderBy("due_at")
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .updateTable("replicas")
    .from("next")
    .set({ lease, leased_until: LEASE })
    .where("replicas.destination", "=", destination)
    .whereRef("replicas.title", "=", "next.title")
    .whereRef("replicas.plan", "=", "next.plan")
    .returning(["replicas.title", "replicas.plan", "replicas.failures", "next.wanted"])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { title, plan, failures, wanted } = row;
  const work = wanted ? "copy" : "remove";
  return { destination, title: title as TitleId, plan: plan as PlanId, work, failures, lease };
}

/** The title of a row, unless it is going away. */
function titleOf<T extends "publications" | "replicas">(eb: ExpressionBuilder<Database, T>, table: T) {
  return (eb as unknown as ExpressionBuilder<Database, "replicas">)
    .selectFrom("titles")
    .where("titles.id", "=", sql.ref<string>(`${table}.title`))
    .where("titles.state", "!=", "removing")
    .select("titles.id");
}

/** Keeps a task; false when another has it by now. */
export async function renewReplica(r: Records, task: ReplicaTask): Promise<boolean> {
  const row = await heldReplica(r, task).set({ leased_until: LEASE }).returning("title").executeTakeFirst();
  return row !== undefined;
}

/** Says that every object of the plan is in the second store. */
export async function replicaCopied(
  r: Records,
  task: ReplicaTask,
  copied: { readonly objects: number; readonly bytes: number },
): Promise<void> {
  await heldReplica(r, task)
    .set({
      ...copied,
      copied_at: sql<Date>`clock_timestamp()`,
      error: null,
      failures: 0,
      lease: null,
      leased_until: null,
    })
    .execute();
}

/** Says why a task went wrong, and when it may be tried again. */
export async function replicaFailed(
  r: Records,
  task: ReplicaTask,
  error: TitleError,
  waitSeconds: number,
): Promise<void> {
  await heldReplica(r, task)
    .set((eb) => ({
      error: JSON.stringify(error),
      failures: eb("failures", "+", 1),
      due_at: sql<Date>`clock_timestamp() + make_interval(secs => ${waitSeconds})`,
      lease: null,
      leased_until: null,
    }))
    .execute();
}

/** Gives a task back as if it had never been taken. */
export async function releaseReplica(r: Records, task: ReplicaTask): Promise<void> {
  await heldReplica(r, task).set({ lease: null, leased_until: null }).execute();
}

/** Forgets a plan of which nothing is left in the second store. */
export async function forgetReplica(r: Records, task: ReplicaTask): Promise<void> {
  await r.db
    .deleteFrom("replicas")
    .where("destination", "=", task.destination)
    .where("title", "=", task.title)
    .where("plan", "=", task.plan)
    .where("lease", "=", task.lease)
    .execute();
}

/** The copies of a title's plans, in every second store that was ever used. */
export async function titleReplicas(r: Records, title: TitleId): Promise<ReplicaState[]> {
  const rows = await r.db
    .selectFrom("replicas")
    .where("title", "=", title)
    .select(["destination", "plan", "copied_at", "objects", "bytes", "error"])
    .orderBy("destination")
    .orderBy("plan")
    .execute();
  return rows.map(({ copied_at, plan, error, ...row }) => ({
    ...row,
    plan: plan as PlanId,
    copiedAt: copied_at,
    error: error as TitleError | null,
  }));
}

const heldReplica = (r: Records, task: ReplicaTask) =>
  r.db
    .updateTable("replicas")
    .where("destination", "=", task.destination)
    .where("title", "=", task.title)
    .where("plan", "=", task.plan)
    .where("lease", "=", task.lease);
