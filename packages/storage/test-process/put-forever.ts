import { setTimeout as sleep } from "node:timers/promises";
import { openFileStore } from "../fs-store.ts";

/** Puts an object that never ends into the store at argv[2] under the key argv[3]; tells its parent once it is amid. */
const [root = "", key = ""] = process.argv.slice(2);

async function* endless(): AsyncGenerator<Uint8Array> {
  for (let part = 0; ; part++) {
    yield Buffer.alloc(64 * 1024, part);
    if (part === 1) process.send?.("amid");
    await sleep(10);
  }
}

const store = await openFileStore(root);
await store.put(key, endless());
