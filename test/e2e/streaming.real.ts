import { AddedTitle } from "@gakuen/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sample } from "../../apps/gakuen/sample.ts";
import { flashesAndBeeps } from "../fixtures/index.ts";
import { launchChromium } from "../players/chromium.ts";
import { openPlayers, type PlayerLab, type PlayerName, playerNames } from "../players/index.ts";
import { GakuenProcess, temporaryFolder } from "./gakuen-process.ts";

/** In real Chromium, in the players that people use: while the title is being encoded, and when it is done. */

/** Three chunks of picture. */
const FINISHED_SECONDS = 14;
const FINISHED_FRAMES = 14 * 24;
const SAMPLE_FRAMES = 30 * 24;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let gakuen: GakuenProcess;
let lab: PlayerLab;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = await openPlayers();
  gakuen = await GakuenProcess.up(folder.path, [await flashesAndBeeps(FINISHED_SECONDS)]);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await gakuen?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const manifestOf = (id: string, player: PlayerName): string =>
  new URL(`/watch/${id}/${player === "hls.js" || player === "shaka-hls" ? "master.m3u8" : "manifest.mpd"}`, gakuen.url)
    .href;

/**
 * The film with flashes and beeps, when all of it is published; the sample for dash.js 5.2: should a buffer be busy in
 * the moment when the last segment is in, it never ends the stream (`signalEndOfStream` tries once), and that happens
 * often to a film that is buffered whole at once.
 */
async function finished(player?: PlayerName): Promise<string> {
  const wanted = (source: string): boolean => (source === sample.path) === (player === "dash.js");
  const film = (await gakuen.titles()).find(({ source }) => wanted(source));
  return (await gakuen.until(film?.id ?? "", ({ state }) => state === "ready")).id;
}

async function add(source: string): Promise<string> {
  const response = await fetch(new URL("/api/titles", gakuen.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source, settings: { rungs: [480, 240] } }),
  });
  return AddedTitle.parse(await response.json()).id;
}

describe.each(playerNames)("%s", (player) => {
  test("starts, seeks to the end and comes back while the title is being encoded", { timeout: 180_000 }, async () => {
    const id = await add(sample.path);
    await gakuen.until(id, ({ plan }) => plan !== null);
    await using session = await lab.play({ player, url: manifestOf(id, player) });
    const started = await session.started(60_000);
    const atStart = await gakuen.title(id);
    // Nothing near the end can have been encoded: the chunks before it are not done.
    expect(atStart.progress).toBeLessThan(0.75);
    const there = await session.seek(26, 60_000);
    const back = await session.seek(9, 60_000);
    console.log(
      `${player}: started after ${Math.round(started.ms)} ms with ${Math.round(atStart.progress * 100)} % stored, at 26 s after ${Math.round(there.ms)} ms, back at 9 s after ${Math.round(back.ms)} ms`,
    );
    const report = await session.report();
    expect(report.errors).toEqual([]);
    expect(report.videoWidth).toBeGreaterThan(0);
    if (player === "dash.js") await gakuen.until(id, ({ state }) => state === "ready");
    // The next player shall have the machine for itself.
    else await fetch(new URL(`/api/titles/${id}`, gakuen.url), { method: "DELETE" });
  });

  test("plays the finished title to the end without a stall, all frames, one buffered range", {
    timeout: 90_000,
  }, async () => {
    await using session = await lab.play({ player, url: manifestOf(await finished(player), player) });
    await session.started();
    const report = await session.playToEnd(60_000);
    expect(report).toMatchObject({ ended: true, errors: [], failedRequests: [] });
    expect(report.waits.filter((wait) => wait.cause === "playback")).toEqual([]);
    // A switch of the rung decodes some frames twice, none is left out.
    expect(report.totalVideoFrames).toBeGreaterThanOrEqual(player === "dash.js" ? SAMPLE_FRAMES : FINISHED_FRAMES);
    expect(report.buffered).toHaveLength(1);
  });

  test("sound and picture are together to within an audio frame", { timeout: 60_000 }, async () => {
    const { lagMs } = await lab.measureSync({ player, url: manifestOf(await finished(), player), seconds: 4 });
    console.log(`${player}: sound is ${lagMs.toFixed(1)} ms behind the picture`);
    expect(Math.abs(lagMs)).toBeLessThan(1024 / 48);
  });
});

test("the watch page plays the title, as a viewer finds it", { timeout: 60_000 }, async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(gakuen.url);
    await page.getByRole("link", { name: "Watch" }).first().click();
    await page.waitForFunction("document.querySelector('video')?.currentTime > 1", undefined, { timeout: 30_000 });
    expect(await page.locator("#note").textContent()).toBe("");
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
  }
});
