import { join } from "node:path";
import { AddTitle, Plan, type TitleView } from "@gakuen/contracts";
import { createLog, loadConfig } from "@gakuen/platform";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OneProcess, startOneProcess } from "../../apps/gakuen/one-process.ts";
import { damaged, type NumberedVideoRecipe, numberedVideo, readFrameNumbers } from "../fixtures/index.ts";
import { decodedTimes, joinTrack } from "./decode-stream.ts";
import { temporaryFolder } from "./gakuen-process.ts";

/** Every frame of the source is in the output exactly once, at its time: decoded, not believed. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let gakuen: OneProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  const config = loadConfig({ env: {}, flags: { dataDir: folder.path } });
  gakuen = await startOneProcess({ config, log: createLog({ level: "error", format: "pretty" }), frontDoor: false });
});

afterAll(async () => {
  await gakuen?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const seconds = 24;
const recipes: [string, NumberedVideoRecipe][] = [
  ["23.976 fps, mp4", { rate: "24000/1001", frames: 575 }],
  ["24 fps, mkv", { rate: "24", frames: 24 * seconds, container: "mkv" }],
  ["25 fps, mpeg-ts", { rate: "25", frames: 25 * seconds, container: "ts" }],
  ["29.97 fps, mkv with its clock of milliseconds", { rate: "30000/1001", frames: 719, container: "mkv" }],
  ["50 fps, mp4", { rate: "50", frames: 50 * seconds }],
  ["59.94 fps, mp4", { rate: "60000/1001", frames: 1438 }],
  ["60 fps, mkv", { rate: "60", frames: 60 * seconds, container: "mkv" }],
  ["long closed GOPs", { rate: "24", frames: 24 * seconds, gop: 500 }],
  ["open GOPs", { rate: "24", frames: 24 * seconds, gop: 36, openGop: true, bFrames: 3 }],
  [
    "HEVC with open GOPs, mkv",
    { rate: "25", frames: 25 * seconds, gop: 50, openGop: true, codec: "libx265", container: "mkv" },
  ],
  ["a late start", { rate: "25", frames: 25 * seconds, startTime: 0.37 }],
  ["a last frame alone in its segment", { rate: "24", frames: 24 * 26 + 1 }],
];

describe("every frame is in the output exactly once", () => {
  test.each(recipes)("%s", async (_name, recipe) => {
    const { title, plan, media } = await encode(await numberedVideo(recipe));
    expect(plan.picture?.frames).toBe(recipe.frames);
    expect(plan.chunks.length).toBeGreaterThan(recipe.container === "ts" ? 0 : 2);
    for (const track of plan.tracks.filter((candidate) => candidate.kind === "video")) {
      const joined = await joinTrack(media, track.id);
      const expected = Array.from({ length: recipe.frames }, (_, index) => index);
      expect(await readFrameNumbers(joined)).toEqual(expected);
      expect(await decodedTimes(joined)).toEqual(expected.map((index) => index * track.sampleTicks));
    }
    expect(title.duration).toBeCloseTo(
      (recipe.frames * (plan.picture?.frameRate.den ?? 1)) / (plan.picture?.frameRate.num ?? 1),
      6,
    );
  });

  test("a source with damaged pictures still fills the grid", async () => {
    const { plan, media } = await encode(await damaged());
    const [track] = plan.tracks;
    expect(await decodedTimes(await joinTrack(media, track?.id ?? ""))).toHaveLength(plan.picture?.frames ?? -1);
  });

  test("sound of one channel stays one channel", async () => {
    const sound = { codec: "aac", channelLayout: "mono", sampleRate: 44_100, signal: "sweep", seconds: 6 } as const;
    const { plan } = await encode(await numberedVideo({ rate: "25", frames: 150, sound }));
    expect(plan.tracks.at(-1)).toMatchObject({ kind: "audio", channels: 1, timescale: 44_100 });
  });

  test("variable timing: the grid is full, and each of its frames shows what the source shows at that time", async () => {
    // Each third frame is late by half a frame: 30 fps on average, on no grid.
    const times = "(N+0.5*eq(mod(N,3),2))/30";
    const { plan, media } = await encode(await numberedVideo({ rate: "30", frames: 600, times }));
    const { picture } = plan;
    if (!picture) throw new Error("no picture");
    const [track] = plan.tracks;
    const joined = await joinTrack(media, track?.id ?? "");
    const numbers = await readFrameNumbers(joined);
    expect(numbers).toHaveLength(picture.frames);
    expect(await decodedTimes(joined)).toEqual(numbers.map((_, index) => index * (track?.sampleTicks ?? 0)));
    const sourceTime = (frame: number): number => (frame + (frame % 3 === 2 ? 0.5 : 0)) / 30;
    const frameSeconds = picture.frameRate.den / picture.frameRate.num;
    for (const [index, number] of numbers.entries())
      expect(Math.abs(sourceTime(number) - index * frameSeconds)).toBeLessThanOrEqual(frameSeconds + 1e-6);
  });
});

async function encode(source: string): Promise<{ title: TitleView; plan: Plan; media: string }> {
  const { kaichou, shoki, foundation } = gakuen;
  const done = Promise.withResolvers<TitleView>();
  let id = "";
  const unsubscribe = shoki.subscribe((event) => {
    if (event.kind !== "title" || (id && event.title.id !== id)) return;
    if (event.title.state === "ready") done.resolve(event.title);
    if (event.title.state === "failed") done.reject(new Error(JSON.stringify(event.title.error)));
  });
  try {
    id = await kaichou.add(AddTitle.parse({ source, settings: { preset: "ultrafast", segmentSeconds: 2 } }));
    const title = await done.promise;
    const row = await foundation.records.db
      .selectFrom("plans")
      .select("body")
      .where("title", "=", title.id)
      .executeTakeFirstOrThrow();
    return {
      title,
      plan: Plan.parse(row.body),
      media: join(folder.path, "store", "titles", title.id, title.plan ?? ""),
    };
  } finally {
    unsubscribe();
  }
}
