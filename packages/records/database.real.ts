import { spawn } from "node:child_process";
import { once } from "node:events";
import { sql } from "kysely";
import { Client } from "pg";
import { describe, expect, test } from "vitest";
import { openRecords, type Records } from "./database.ts";
import type { RecordEvent } from "./events.ts";
import type { RecordsLog } from "./log.ts";
import { withTestDatabase } from "./testing.ts";
import { insertTitle, listTitles } from "./index.ts";
import { PlanSettings, TitleId } from "@gakuen/contracts";

const log: RecordsLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The next event that `wanted` accepts. */
const nextEvent = (r: Records, wanted: (event: RecordEvent) => boolean): Promise<RecordEvent> =>
  new Promise((resolve) => {
    const stop = r.events.subscribe((event) => {
      if (!wanted(event)) return;
      stop();
      resolve(event);
    });
  });

const newTitle = (id: string) => ({
  id: TitleId.parse(id),
  name: id,
  source: { kind: "file" as const, path: `/films/${id}` },
  settings: PlanSettings.parse({}),
  priority: 8,
});

describe("the database", () => {
  test("is set up once by processes that start at the same time", async () => {
    await using database = await withTestDatabase();
    const script = `
      const { openRecords } = await import(${JSON.stringify(new URL("./database.ts", import.meta.url).href)});
      const none = () => {};
      const log = { debug: none, info: none, warn: none, error: none };
      await using records = await openRecords({ url: ${JSON.stringify(database.url)}, log });
    `;
    const children = [1, 2, 3].map(() =>
      spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", "inherit"] }),
    );
    const here = openRecords({ url: database.url, log });
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
    await using records = await here;
    expect((await listTitles(records, { limit: 10 })).rows).toEqual([]);
  });

  test("that cannot be reached is named with what to check, and without the password", async () => {
    const refused = openRecords({ url: "postgres://gakuen:secret-word@127.0.0.1:1/films", log });
    const error = await refused.catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "database.unavailable",
      message: expect.stringMatching(/127\.0\.0\.1:1\/films.*is PostgreSQL running.*GAKUEN_DATABASE_URL/),
    });
    expect(String(error)).not.toContain("secret-word");
  });

  test("that refuses the password or lacks the database says which", async () => {
    await using database = await withTestDatabase();
    const wrongPassword = new URL(database.url);
    wrongPassword.password = "wrong";
    await expect(openRecords({ url: wrongPassword.href, log })).rejects.toMatchObject({
      code: "database.unavailable",
      message: expect.stringContaining("the user or the password is wrong"),
    });
    const missing = new URL(database.url);
    missing.pathname = "/missing";
    await expect(openRecords({ url: missing.href, log })).rejects.toMatchObject({
      code: "database.unavailable",
      message: expect.stringContaining("there is no database of this name"),
    });
  });

  test("may cut every connection: the query in hand fails as unavailable, the next works, listeners are told to resync", async () => {
    await using database = await withTestDatabase();
    await using records = await openRecords({ url: database.url, log });
    const resync = nextEvent(records, (event) => event.kind === "resync");
    const inHand = sql`select pg_sleep(30)`.execute(records.db).catch((error: unknown) => error);

    const killer = new Client({ connectionString: database.url });
    await killer.connect();
    const others =
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    const sleeping = `${others} and query like '%pg_sleep(30)%' and state = 'active'`;
    const countOf = async (query: string) => (await killer.query<{ n: number }>(query)).rows[0]?.n;
    await expect.poll(() => countOf(sleeping)).toBe(1);
    await killer.query(others.replace("count(*)::int as n", "pg_terminate_backend(pid)"));
    await killer.end();

    expect(await inHand).toMatchObject({ code: "database.unavailable" });
    await resync;
    const heard = nextEvent(records, (event) => event.kind === "title");
    await insertTitle(records, newTitle("after-the-cut"));
    expect(await heard).toEqual({ kind: "title", title: "after-the-cut" });
  });

  test("tells events of one process to the others, and only what was committed", async () => {
    await using database = await withTestDatabase();
    await using writer = await openRecords({ url: database.url, log });
    await using reader = await openRecords({ url: database.url, log });
    const heard: RecordEvent[] = [];
    reader.events.subscribe((event) => heard.push(event));
    await insertTitle(writer, newTitle("first"));
    await expect(insertTitle(writer, newTitle("first"))).rejects.toThrow("duplicate key");
    await insertTitle(writer, newTitle("second"));
    await expect.poll(() => heard.length).toBe(2);
    expect(heard).toEqual([
      { kind: "title", title: "first" },
      { kind: "title", title: "second" },
    ]);
  });
});
