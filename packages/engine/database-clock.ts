import type { PgQueryable } from "bullmq";

/** Numbers from here on (the year 2001, in milliseconds) are times: no other number of the queue is nearly as large. */
const TIMES_FROM = 1e12;
const MEASURE_EVERY_MS = 30_000;

/**
 * Lets BullMQ work by the database's clock. It gives its SQL functions the time of the machine it runs on, and they
 * compare it with what other machines wrote: an encoder whose clock is five minutes ahead would take every lock for one
 * that has run out, and take away the jobs of all others once a second.
 *
 * @param pool what BullMQ sends its statements to; from now on it shifts every time among their parameters by as much as
 *   the clocks differ, measured now and then
 */
export async function workByDatabaseClock(pool: PgQueryable): Promise<void> {
  const send = pool.query.bind(pool);
  let aheadMs = 0;
  let measuredAt = -Infinity;

  const measure = async (): Promise<void> => {
    measuredAt = performance.now();
    const before = Date.now();
    const { rows } = await send<{ now: string }>("select extract(epoch from clock_timestamp()) * 1000 as now");
    // The database read its clock about halfway.
    aheadMs = Math.round(Number(rows[0]?.now) - (before + Date.now()) / 2);
  };
  const shifted = (value: unknown): unknown =>
    typeof value === "number" && value >= TIMES_FROM ? value + aheadMs : value;

  await measure();
  pool.query = (text, parameters) => {
    // A failure says nothing new: the statement itself is about to meet it.
    if (performance.now() - measuredAt > MEASURE_EVERY_MS) measure().catch(() => undefined);
    return send(text, parameters?.map(shifted));
  };
}
