import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AddedTitle, type TitleView } from "@gakuen/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { numberedVideo } from "../fixtures/index.ts";
import { folderChecksums } from "./folder-checksums.ts";
import { gakuen, GakuenProcess, temporaryFolder } from "./gakuen-process.ts";
import { SlowWeb } from "./slow-web.ts";

/** A store that loses what it had acknowledged: it is noticed, and a retry makes just that chunk again. */

const SECONDS = 24;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GakuenProcess;
let source: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const sound = { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: SECONDS } as const;
  source = await numberedVideo({ rate: "24", frames: 24 * SECONDS, size: { width: 640, height: 360 }, sound });
  server = await GakuenProcess.up(join(folder.path, "data"), [await numberedVideo({ rate: "24", frames: 24 })]);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const chunksEncoded = (id: string): number =>
  server.output.split("\n").filter((line) => line.includes(id) && line.includes("chunk encoded and stored")).length;

const mediaFolder = (title: TitleView): string =>
  join(folder.path, "data", "store", "titles", title.id, title.plan ?? "");

const retry = async (id: string) => gakuen(["retry", id, "--json"], { GAKUEN_PORT: new URL(server.url).port });

test("a segment that vanishes before or after the publication is made again by a retry, and nothing else is", async () => {
  await using web = await SlowWeb.serve(source, 300_000);
  const response = await fetch(new URL("/api/titles", server.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source: web.url, settings: { preset: "ultrafast", rungs: [360, 240], segmentSeconds: 2 } }),
  });
  const { id } = AddedTitle.parse(await response.json());

  // Both rungs of the first chunk and some of a later one are there; the publication is still to come.
  const begun = await server.until(id, ({ progress }) => progress > 0.3);
  web.held = true;
  const lost = join(mediaFolder(begun), "v240", "1.m4s");
  await rm(lost);
  web.bytesPerSecond = Infinity;
  web.held = false;
  const failed = await untilFailed(id);
  expect(failed.error).toMatchObject({ code: "encode.incomplete", message: expect.stringContaining("v240/1.m4s") });

  const before = chunksEncoded(id);
  expect(await retry(id)).toMatchObject({ code: 0 });
  const ready = await server.until(id, ({ state }) => state === "ready");
  expect(chunksEncoded(id) - before).toBe(1);
  const whole = await folderChecksums(mediaFolder(ready));

  // What is complete is left alone.
  expect(await retry(id)).toMatchObject({ code: 65, stderr: expect.stringContaining("nothing of it is missing") });

  await rm(join(mediaFolder(ready), "v360", "9.m4s"));
  await rm(join(mediaFolder(ready), "a1", "init.mp4"));
  expect(await retry(id)).toMatchObject({ code: 0 });
  await expect.poll(() => folderChecksums(mediaFolder(ready)), { timeout: 60_000 }).toEqual(whole);
  await expect.poll(() => chunksEncoded(id) - before, { timeout: 10_000 }).toBe(3);
  expect((await server.title(id)).state).toBe("ready");
});

async function untilFailed(id: string): Promise<TitleView> {
  await expect.poll(async () => (await server.title(id)).state, { timeout: 60_000 }).toBe("failed");
  return server.title(id);
}
