import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { describeAbsentObjects } from "./contract/absent-objects.ts";
import { describeDelete } from "./contract/delete.ts";
import { describeFailedPuts } from "./contract/failed-puts.ts";
import { describeKeys } from "./contract/keys.ts";
import { describeList } from "./contract/list.ts";
import { describePresign } from "./contract/presign.ts";
import { describePutAndGet } from "./contract/put-and-get.ts";
import { describePutIfAbsent } from "./contract/put-if-absent.ts";
import { describeRanges } from "./contract/ranges.ts";
import type { Suite } from "./contract/suite.ts";
import type { ObjectStore } from "./port.ts";

const sections = [
  describePutAndGet,
  describeRanges,
  describeAbsentObjects,
  describeFailedPuts,
  describePutIfAbsent,
  describeList,
  describeDelete,
  describePresign,
  describeKeys,
];

/**
 * Every promise of {@link ObjectStore} as tests, for any adapter. `open` gives a store that works and takes down
 * what it needed; each test keeps to a prefix of its own, so the store may hold other objects and is left without ours.
 * With `only` some of the promises.
 */
export function describeObjectStore(
  name: string,
  open: () => Promise<{ store: ObjectStore } & AsyncDisposable>,
  only: readonly ((suite: Suite) => void)[] = sections,
): void {
  describe(`${name} as an object store`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    const root = `contract-${randomUUID()}`;
    let tests = 0;
    const suite: Suite = {
      get store() {
        return opened.store;
      },
      freshPrefix: () => `${root}/${++tests}`,
    };

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened.store.deletePrefix(`${root}/`);
      await opened[Symbol.asyncDispose]();
    });
    for (const section of only) section(suite);
  });
}
