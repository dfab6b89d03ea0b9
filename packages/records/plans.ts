import { Plan, type PlanId, type TitleId } from "@gakuen/contracts";
import type { Records } from "./database.ts";

const KEPT_PLANS = 64;

/** Parsed plans of each database, least recently used first. */
const kept = new WeakMap<Records, Map<string, Plan>>();

/**
 * A plan, or undefined when the title does not have it. Plans never change, so recent ones are kept in memory:
 * a plan can be answered for a while after its title was deleted, whether the title exists is for the caller to ask.
 */
export async function getPlan(r: Records, title: TitleId, plan: PlanId): Promise<Plan | undefined> {
  const plans = kept.get(r) ?? new Map<string, Plan>();
  kept.set(r, plans);
  const key = `${title}/${plan}`;
  const known = plans.get(key);
  if (known !== undefined) {
    plans.delete(key);
    plans.set(key, known);
    return known;
  }
  const row = await r.db
    .selectFrom("plans")
    .where("title", "=", title)
    .where("id", "=", plan)
    .select("body")
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const parsed = Plan.parse(row.body);
  plans.set(key, parsed);
  const [oldest] = plans.keys();
  if (plans.size > KEPT_PLANS && oldest !== undefined) plans.delete(oldest);
  return parsed;
}
