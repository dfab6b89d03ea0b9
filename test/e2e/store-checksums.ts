import { createHash } from "node:crypto";
import type { ObjectStore } from "@gakuen/storage";

/** SHA-256 of every object whose key begins with `prefix`, by the rest of its key. */
export async function storeChecksums(
  store: Pick<ObjectStore, "list" | "get">,
  prefix: string,
): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for await (const { key } of store.list(prefix)) {
    const hash = createHash("sha256");
    for await (const bytes of (await store.get(key)).body) hash.update(bytes);
    sums[key.slice(prefix.length)] = hash.digest("hex");
  }
  return sums;
}
