import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlayerLab, PlayerName, StaticServer } from "./index.ts";
import { openPlayers, PlaybackFailed, playerNames, serveFolder } from "./index.ts";
import type { SampleStream } from "./sample-stream.ts";
import { FRAME_RATE, makeSampleStream, MASTER, MPD, SECONDS } from "./sample-stream.ts";

/** The harness itself: a test that plays a stream is worth something only if it fails where the stream is broken. */

let stream: SampleStream;
let server: StaticServer;
let lab: PlayerLab;

beforeAll(async () => {
  stream = await makeSampleStream();
  server = await serveFolder(stream.folder, { cors: true });
  lab = await openPlayers();
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await stream?.[Symbol.asyncDispose]();
});

const manifestOf = (player: PlayerName): string => (player.endsWith("hls") || player === "hls.js" ? MASTER : MPD);

describe.concurrent("a sound stream", () => {
  test.each(playerNames)("starts and ends in %s", async (player) => {
    await using session = await lab.play({ player, url: `${server.origin}/${manifestOf(player)}`, playbackRate: 2 });
    expect((await session.started()).ms).toBeGreaterThan(0);
    const report = await session.playToEnd();
    expect(report).toMatchObject({ ended: true, errors: [], failedRequests: [] });
    expect(report.videoWidth).toBeGreaterThan(0);
    expect(report.currentTime).toBeCloseTo(SECONDS, 0);
    expect(report.switches.length).toBeGreaterThan(0);
  });
});

describe("one player at a time", () => {
  test("shows every frame of a sound stream, in one buffered range", async () => {
    await using session = await lab.play({ player: "shaka-dash", url: `${server.origin}/${MPD}` });
    await session.started();
    const report = await session.playToEnd();
    expect(report.totalVideoFrames).toBeGreaterThanOrEqual(SECONDS * FRAME_RATE);
    expect(report.buffered).toHaveLength(1);
  });

  test("sound that comes late is measured as late", async () => {
    await using late = await makeSampleStream({ beepDelay: 0.12 });
    await using lateServer = await serveFolder(late.folder, { cors: true });
    const { lagMs } = await lab.measureSync({ player: "dash.js", url: `${lateServer.origin}/${MPD}`, seconds: 3 });
    expect(lagMs).toBeGreaterThan(105);
    expect(lagMs).toBeLessThan(135);
  });

  test("sound that is missing is no sound in time", async () => {
    await using silent = await makeSampleStream({ loudness: 0 });
    await using silentServer = await serveFolder(silent.folder, { cors: true });
    const measured = lab.measureSync({ player: "dash.js", url: `${silentServer.origin}/${MPD}`, seconds: 3 });
    await expect(measured).rejects.toThrow("too few flashes with a beep");
  });

  test("a stream from a server without CORS headers fails", async () => {
    await using closed = await serveFolder(stream.folder);
    await using session = await lab.play({ player: "hls.js", url: `${closed.origin}/${MASTER}` });
    await expect(session.started(3000)).rejects.toThrow(PlaybackFailed);
    expect((await session.report()).failedRequests).toContainEqual(expect.objectContaining({ status: null }));
  });
});

describe.concurrent("a segment that is missing in the middle", () => {
  test.each(playerNames)("is reported by %s", async (player) => {
    await using broken = await stream.copy();
    for (const track of [0, 1]) await rm(join(broken.folder, `chunk-stream${track}-00003.m4s`));
    await using brokenServer = await serveFolder(broken.folder, { cors: true });
    await using session = await lab.play({ player, url: `${brokenServer.origin}/${manifestOf(player)}` });
    // hls.js tries for longer than anybody waits; the others give up within this time.
    const failure: unknown = await session.playToEnd(9000).catch((error: unknown) => error);
    if (!(failure instanceof PlaybackFailed)) throw new Error("the harness took a broken stream for a sound one");
    expect(failure.report.ended).toBe(false);
    expect(failure.report.failedRequests).toContainEqual(
      expect.objectContaining({ status: 404, url: expect.stringContaining("-00003.m4s") }),
    );
  });
});
