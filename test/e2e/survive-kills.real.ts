import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { numberedVideo } from "../fixtures/index.ts";
import { folderChecksums } from "./folder-checksums.ts";
import { gakuen, GakuenProcess, temporaryFolder } from "./gakuen-process.ts";

const KILLS = Number(process.env["GAKUEN_TEST_KILLS"] ?? 5);

/** SHA-256 of every object of the only title, by its name within the plan. */
async function titleChecksums(store: string): Promise<Record<string, string>> {
  const [title = ""] = await readdir(join(store, "titles"));
  const [plan = ""] = await readdir(join(store, "titles", title));
  return folderChecksums(join(store, "titles", title, plan));
}

test(`killed ${KILLS} times at random moments and started again, a title completes with the bytes of an undisturbed run`, {
  timeout: 240_000 + KILLS * 10_000,
}, async () => {
  const source = await numberedVideo({
    rate: "24",
    frames: 24 * 60,
    size: { width: 640, height: 360 },
    sound: { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: 60 },
  });
  await using undisturbed = await temporaryFolder();
  await using disturbed = await temporaryFolder();
  {
    await using process = await GakuenProcess.up(undisturbed.path, [source]);
    const [title] = await process.titles();
    await process.until(title?.id ?? "", ({ state }) => state === "ready");
  }

  const stored: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await using process = await GakuenProcess.up(disturbed.path, [source]);
    const titles = await process.titles();
    expect(titles).toHaveLength(1);
    stored.push(titles[0]?.progress ?? 0);
    await delay(200 + Math.random() * 2500);
    await process.kill("SIGKILL");
  }
  // What was stored stays stored.
  expect(stored).toEqual(stored.toSorted((a, b) => a - b));

  await using process = await GakuenProcess.up(disturbed.path, [source]);
  const [title] = await process.titles();
  await process.until(title?.id ?? "", ({ state }) => state === "ready");
  expect(await titleChecksums(join(disturbed.path, "store"))).toEqual(
    await titleChecksums(join(undisturbed.path, "store")),
  );
  expect(await readdir(join(disturbed.path, "store", ".incoming"))).toEqual([]);
});

test("an interrupted `gakuen encode` goes on where it was", { timeout: 200_000 }, async () => {
  await using folder = await temporaryFolder();
  const source = await numberedVideo({ rate: "24", frames: 24 * 90, size: { width: 640, height: 360 } });
  const out = join(folder.path, "out");
  const args = ["encode", source, "--out", out];
  const first = await GakuenProcess.start(args, /encoding [1-9]0 %/);
  expect(await first.kill("SIGKILL")).toBeNull();
  const second = await gakuen(args);
  expect(second.stderr).not.toContain("encoding 0 %");
  expect(second.stderr).not.toContain("error");
  expect(second.code).toBe(0);
  expect(await readdir(out)).toEqual(expect.arrayContaining(["manifest.mpd", "master.m3u8"]));
  expect(await readdir(out)).not.toContain(".gakuen");
});
