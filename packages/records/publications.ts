import type { PlanId, TitleId } from "@gakuen/contracts";
import type { Records } from "./database.ts";
import { notify } from "./events.ts";

/** Says that the final manifests of a plan are in the store. Saying it twice changes nothing. */
export async function addPublication(r: Records, title: TitleId, plan: PlanId): Promise<void> {
  await r.db
    .insertInto("publications")
    .values({ title, plan })
    .onConflict((conflict) => conflict.doNothing())
    .returning(notify({ kind: "published", title, plan }).as("notified"))
    .execute();
}

export async function isPublished(r: Records, title: TitleId, plan: PlanId): Promise<boolean> {
  const row = await r.db
    .selectFrom("publications")
    .where("title", "=", title)
    .where("plan", "=", plan)
    .select("plan")
    .executeTakeFirst();
  return row !== undefined;
}
