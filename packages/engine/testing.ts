import { withTestDatabase } from "@gakuen/records/testing";
import { withTestRedis } from "./test-redis.ts";

/** Everything the queue can live in; each a fresh one. */
export const testServers: readonly (readonly [string, () => Promise<{ url: string } & AsyncDisposable>])[] = [
  ["PostgreSQL", withTestDatabase],
  ["Redis", () => withTestRedis()],
];
