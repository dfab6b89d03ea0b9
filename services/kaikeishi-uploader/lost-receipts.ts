import type { Receipt } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";

/** Those of the receipts whose objects are not in the store, or not in their length. */
export async function lostReceipts(store: ObjectStore, receipts: readonly Receipt[]): Promise<Receipt[]> {
  const looked = receipts.map(async (receipt) => {
    const object = await store.stat(receipt.key);
    return object?.bytes === receipt.bytes ? [] : [receipt];
  });
  return (await Promise.all(looked)).flat();
}
