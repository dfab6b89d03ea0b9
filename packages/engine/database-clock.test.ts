import { describe, expect, test, vi } from "vitest";
import { workByDatabaseClock } from "./database-clock.ts";

/** A database whose clock is ahead of ours, and that remembers what it was sent. */
function database(aheadMs: number) {
  const sent: (readonly unknown[] | undefined)[] = [];
  const query = vi.fn(async (text: string, parameters?: readonly unknown[]) => {
    if (text.includes("clock_timestamp")) return { rows: [{ now: String(Date.now() + aheadMs) }] };
    sent.push(parameters);
    return { rows: [] };
  });
  return { pool: { query: query as never }, sent };
}

describe("a queue in a database with another clock", () => {
  test("is given times by that clock, and everything else as it was", async () => {
    const { pool, sent } = database(-300_000);
    await workByDatabaseClock(pool);
    const query = pool.query as (text: string, parameters?: readonly unknown[]) => Promise<unknown>;
    const now = Date.now();
    await query("select move_to_active($1, $2, $3, $4)", ["queue", 4000, now, null]);
    await query("select 1");
    const [[queue, lock, time, nothing] = [], none] = sent;
    expect([queue, lock, nothing, none]).toEqual(["queue", 4000, null, undefined]);
    // To within the time that reading two clocks one after another takes.
    expect(Math.abs(Number(time) - (now - 300_000))).toBeLessThan(50);
  });
});
