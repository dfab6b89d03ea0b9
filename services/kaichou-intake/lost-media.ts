import { planPrefix } from "@gakuen/contracts";
import { planReceipts, type Records, type TitleRow } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";

/** How many objects of a title's plan that were stored are not in the store any more, or not in their length. */
export async function countLostMedia(records: Records, store: ObjectStore, row: TitleRow): Promise<number> {
  if (row.plan === null) return 0;
  const sizes = new Map<string, number>();
  for await (const object of store.list(planPrefix(row.id, row.plan))) sizes.set(object.key, object.bytes);
  const receipts = await planReceipts(records, row.id, row.plan);
  return receipts.filter((receipt) => sizes.get(receipt.key) !== receipt.bytes).length;
}
