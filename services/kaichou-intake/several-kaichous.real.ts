import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AddTitle, type TitleId } from "@gakuen/contracts";
import { getPlan } from "@gakuen/records";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTestParts, type PlannedFilm, plannedFilm, type TestParts } from "../kaikeishi-uploader/testing.ts";
import { sourceUrl } from "./encoder-address.ts";
import { openTestKaichou, type TestKaichou, untilState } from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
let path: string;
let owner: TestKaichou;
let other: TestKaichou;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
});
afterAll(() => parts[Symbol.asyncDispose]());
beforeEach(async () => {
  path = join(parts.folder, "film.mp4");
  if (film.source.kind === "file") await copyFile(film.source.path, path);
  owner = await openTestKaichou(parts);
  other = await openTestKaichou(parts);
});
afterEach(async () => {
  for (const { id } of await parts.records.db.selectFrom("titles").select("id").execute())
    await other.kaichou.remove(id as TitleId);
  await other[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
});
const settings = { preset: "ultrafast", rungs: [144, 120], segmentSeconds: 1 };
/** Adds the film at its owner. */
const add = () => owner.kaichou.add(AddTitle.parse({ source: path, settings }));
/** As if another file had been under this path there: then no other Kaichou takes its own for the same. */
const elsewhere = () => parts.records.db.updateTable("sources").set({ version: "1-1" }).execute();

/** Where a request ends up, and with what. */
async function read(url: string): Promise<{ host: string; status: number; bytes: number }> {
  const response = await fetch(url, { headers: { range: "bytes=100-199" } });
  return {
    host: new URL(response.url).host,
    status: response.status,
    bytes: (await response.arrayBuffer()).byteLength,
  };
}

describe("a path that was added at one of several Kaichous", () => {
  test("means a file of its machine: another one prepares the title by reading it there", async () => {
    const id = await add();
    await elsewhere();
    await other.start();
    const { plan } = await untilState(parts, id, "encoding", "failed");
    expect(plan && (await getPlan(parts.records, id, plan))?.fingerprint).toBe(film.plan.fingerprint);
  });

  test("is given to encoders whichever they ask", async () => {
    const id = await add();
    await elsewhere();
    const ownHost = new URL(owner.url).host;
    expect(await read(await sourceUrl(parts.tokens, owner.url, id))).toEqual({
      host: ownHost,
      status: 206,
      bytes: 100,
    });
    expect(await read(await sourceUrl(parts.tokens, other.url, id))).toEqual({
      host: ownHost,
      status: 206,
      bytes: 100,
    });
  });

  test("is read in place by all of them where it is the very same file", async () => {
    const id = await add();
    await owner.start();
    await untilState(parts, id, "encoding");
    const otherHost = new URL(other.url).host;
    expect((await read(await sourceUrl(parts.tokens, other.url, id))).host).toBe(otherHost);
    await owner[Symbol.asyncDispose]();
    expect((await read(await sourceUrl(parts.tokens, other.url, id))).status).toBe(206);
  });

  test("waits for that one while it is away, and does not fail", async () => {
    const id = await add();
    await elsewhere();
    const { port, hostname: host } = new URL(owner.url);
    await owner[Symbol.asyncDispose]();
    await other.start();
    await untilState(parts, id, "preparing");
    await delay(2500);
    expect((await untilState(parts, id, "preparing", "failed")).state).toBe("preparing");
    // It comes back under its address.
    owner = await openTestKaichou(parts, { at: { host, port: Number(port) } });
    expect((await untilState(parts, id, "encoding", "failed")).state).toBe("encoding");
  });

  test("that is not there any more fails the title where it was: with the path", async () => {
    const id = await add();
    await elsewhere();
    await rm(path);
    await other.start();
    const { error } = await untilState(parts, id, "failed", "encoding");
    expect(error).toEqual({ code: "source.not-found", message: `there is no file ${path}` });
  });
});
