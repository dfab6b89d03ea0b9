import { appendFile, copyFile, mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AddTitle, type TitleId } from "@gakuen/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openTestParts, type PlannedFilm, plannedFilm, type TestParts } from "../kaikeishi-uploader/testing.ts";
import { openTestKaichou, type TestKaichou, untilTitles } from "./testing.ts";
import { watchedFolder } from "./watch-folder.ts";

const SETTLE_MS = 300;
/** Longer than a film needs to be taken in: several looks. */
const WHILE = 4 * SETTLE_MS;

let parts: TestParts;
let film: PlannedFilm;
let folder: string;
const kaichous: TestKaichou[] = [];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
});
afterAll(() => parts[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(parts.folder, "incoming-"));
});
afterEach(async () => {
  const ids = await parts.records.db.selectFrom("titles").select("id").execute();
  for (const { id } of ids) await kaichous[0]?.kaichou.remove(id as TitleId);
  await stopAll();
});

/** A Kaichou of its own on the one database. */
async function start(watch = [watchedFolder(folder, SETTLE_MS)]): Promise<TestKaichou> {
  const kaichou = await openTestKaichou(parts, { watch });
  kaichous.push(kaichou);
  await kaichou.start();
  return kaichou;
}
async function stopAll(): Promise<void> {
  for (const kaichou of kaichous.splice(0)) await kaichou[Symbol.asyncDispose]();
}
const filmPath = (): string => (film.source.kind === "file" ? film.source.path : "");
const drop = (name: string): Promise<void> => copyFile(filmPath(), join(folder, name));
const titles = async (count: number) =>
  (await untilTitles(parts, count)).map(({ name, state, error }) => [name, error?.code ?? state]);

test("a film becomes a title once: by whichever of two Kaichous, beside what is added by hand, after a restart too", async () => {
  const [one, two] = [await start(), await start()];
  const byHand = AddTitle.parse({ source: filmPath(), name: "By Hand" });
  await Promise.all([
    ...Array.from({ length: 4 }, (_, index) => drop(`film ${index}.mp4`)),
    one.kaichou.add(byHand),
    two.kaichou.add(byHand),
  ]);
  const expected = ["By Hand", "By Hand", ...Array.from({ length: 4 }, (_, index) => `film ${index}`)];
  expect((await titles(6)).map((title) => title.join(": ")).sort()).toEqual(
    expected.map((name) => `${name}: encoding`),
  );
  // Nothing is stuck: each title has its whole graph in the queue.
  for (const { id, plan } of await untilTitles(parts, 6))
    while (!(await one.engine.hasPublish({ title: id, plan: plan ?? film.planId }))) await delay(20);
  await stopAll();

  await Promise.all([start(), start()]);
  await drop("another.mkv");
  await untilTitles(parts, 7);
  await delay(WHILE);
  expect((await titles(7)).length).toBe(7);
});

test("what is still arriving waits until it is whole; an unfinished name, a hidden one and another kind are left alone", async () => {
  await start();
  const bytes = await readFile(filmPath());
  await mkdir(join(folder, "season 1", ".trash"), { recursive: true });
  await drop("season 1/done.mp4.part");
  await drop("season 1/.trash/hidden.mp4");
  await drop("~backup.mp4");
  await writeFile(join(folder, "notes.txt"), "Bring milk.");
  await writeFile(join(folder, "empty.mp4"), "");
  const growing = join(folder, "growing.mp4");
  const steps = 8;
  for (let step = 0; step < steps; step++) {
    const [from, to] = [step, step + 1].map((part) => Math.round((bytes.length * part) / steps));
    await appendFile(growing, bytes.subarray(from, to));
    await delay(SETTLE_MS / 2);
  }
  expect(await titles(1)).toEqual([["growing", "encoding"]]);
  await rename(join(folder, "season 1/done.mp4.part"), join(folder, "season 1/done.mp4"));
  expect(await titles(2)).toEqual([
    ["growing", "encoding"],
    ["done", "encoding"],
  ]);
  await delay(WHILE);
  expect((await titles(2)).length).toBe(2);
});

test("what is no film is told once and not tried again, until there is something else under its name", async () => {
  await start();
  const path = join(folder, "broken.mp4");
  await writeFile(path, "This is not a film.\n".repeat(500));
  expect(await titles(1)).toEqual([["broken", "source.not-media"]]);
  await stopAll();
  await start();
  await delay(WHILE);
  expect(await titles(1)).toEqual([["broken", "source.not-media"]]);
  // Most likely it was half a copy: it is the same title that is tried again.
  await drop("broken.mp4");
  while ((await titles(1))[0]?.[1] !== "encoding") await delay(50);
  expect(await titles(1)).toEqual([["broken", "encoding"]]);
});

test("a film that is replaced becomes a title again, and the one in the making ends as changed; removal changes nothing", async () => {
  await start();
  await drop("film.mp4");
  await untilTitles(parts, 1);
  const path = join(folder, "film.mp4");
  await utimes(path, new Date(), new Date(Date.now() + 5000));
  await untilTitles(parts, 2);
  while ((await titles(2))[0]?.[1] !== "source.changed") await delay(50);
  await rm(path);
  await delay(WHILE);
  expect(await titles(2)).toEqual([
    ["film", "source.changed"],
    ["film", "encoding"],
  ]);
});

test("a folder that is not there is looked for until it is", async () => {
  await rm(folder, { recursive: true });
  await start();
  await delay(WHILE);
  await mkdir(folder);
  await drop("late.mp4");
  expect(await titles(1)).toEqual([["late", "encoding"]]);
});
