import { TitleId } from "@gakuen/contracts";
import { inspectSource, runProcess } from "@gakuen/ffmpeg";
import { encodeJob, planTitle } from "@gakuen/pipeline";
import { describe, expect, test } from "vitest";
import {
  colourPatches,
  encodeChunk,
  type PatchesRecipe,
  patchColours,
  patchesAsMade,
  withFile,
} from "../fixtures/index.ts";

/** The colours that a player shows, for every way in which a source may say its own. */

const tools = { ffmpeg: "ffmpeg", ffprobe: "ffprobe", version: "" };
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

/** What the manifest's largest rung shows in the middle of each patch, and how it is tagged. */
async function shown(recipe: PatchesRecipe) {
  const source = { kind: "file", path: await colourPatches(recipe) } as const;
  const inspection = await inspectSource(source, { tools, signal: signal() });
  const { plan, planId } = planTitle(inspection, { preset: "ultrafast", rungs: [240], segmentSeconds: 4 });
  const chunk = plan.chunks.find(({ kind }) => kind === "video");
  if (!chunk) throw new Error("the plan has no picture");
  const ref = { title: TitleId.parse("colours"), plan: planId, chunk: chunk.id };
  const [track = Buffer.alloc(0)] = await encodeChunk(encodeJob(ref, plan, chunk, source, "grant"));
  return withFile(track, "track.mp4", async (path) => {
    const question = ["-show_entries", "stream=color_primaries,color_transfer,color_space,color_range,pix_fmt"];
    const { stdout } = await runProcess("ffprobe", ["-v", "error", ...question, "-of", "default=nk=1:nw=1", path], {
      signal: signal(),
    });
    return { tags: stdout.trim().split("\n").sort(), colours: await patchColours(path) };
  });
}

/** How the picture is said to be coded, in alphabetical order: matrix, primaries, transfer, range, format. */
const HD_TAGS = ["bt709", "bt709", "bt709", "tv", "yuv420p"];
const said = (primaries: string, transfer: string, matrix: string) => ({ primaries, transfer, matrix });

describe.concurrent("the colours of a film are shown as they are meant", () => {
  test.each<[string, PatchesRecipe, string[]]>([
    ["HD", { pixelFormat: "yuv420p", ...said("bt709", "bt709", "bt709"), range: "tv" }, HD_TAGS],
    [
      "HD in the full range of a camera",
      { pixelFormat: "yuv420p", ...said("bt709", "bt709", "bt709"), range: "pc" },
      HD_TAGS,
    ],
    [
      "NTSC",
      { pixelFormat: "yuv420p", ...said("smpte170m", "smpte170m", "smpte170m") },
      ["smpte170m", "smpte170m", "smpte170m", "tv", "yuv420p"],
    ],
    [
      "PAL",
      { pixelFormat: "yuv420p", ...said("bt470bg", "smpte170m", "bt470bg") },
      ["bt470bg", "bt470bg", "smpte170m", "tv", "yuv420p"],
    ],
    [
      "PAL that does not say so",
      { pixelFormat: "yuv420p", unsaid: said("bt470bg", "smpte170m", "bt470bg") },
      ["bt470bg", "bt470bg", "smpte170m", "tv", "yuv420p"],
    ],
    ["PAL with its old gamma", { pixelFormat: "yuv420p", ...said("bt470bg", "bt470bg", "bt470bg") }, HD_TAGS],
    ["NTSC of 1953", { pixelFormat: "yuv420p", ...said("bt470m", "bt470m", "fcc") }, HD_TAGS],
    ["BT.2020 without HDR", { pixelFormat: "yuv420p10le", ...said("bt2020", "bt2020-10", "bt2020nc") }, HD_TAGS],
    [
      "BT.2020 of constant luminance",
      { pixelFormat: "yuv420p10le", ...said("bt2020", "bt2020-10", "bt2020c") },
      HD_TAGS,
    ],
    [
      "Display P3, as telephones record",
      { pixelFormat: "yuv422p10le", ...said("smpte432", "bt709", "bt709") },
      HD_TAGS,
    ],
    ["YCgCo", { pixelFormat: "yuv444p", ...said("bt709", "bt709", "ycgco") }, HD_TAGS],
    [
      "sRGB",
      { pixelFormat: "yuv444p", ...said("bt709", "iec61966-2-1", "bt709") },
      ["bt709", "bt709", "iec61966-2-1", "tv", "yuv420p"],
    ],
    ["RGB", { pixelFormat: "gbrp", ...said("bt709", "bt709", "gbr"), range: "pc" }, HD_TAGS],
    ["PNG in QuickTime", { pixelFormat: "rgba", matrix: "gbr", range: "pc", codec: "png" }, HD_TAGS],
    [
      "x264's RGB, as screens are recorded",
      { pixelFormat: "bgr0", matrix: "gbr", range: "pc", codec: "libx264rgb" },
      HD_TAGS,
    ],
  ])("%s", async (_, recipe, tags) => {
    const film = await shown(recipe);
    expect(film.tags).toEqual(tags);
    for (const [patch, colour] of film.colours.entries())
      for (const [channel, value] of colour.entries())
        expect(
          Math.abs(value - (patchesAsMade[patch]?.[channel] ?? 0)),
          `patch ${patch}: ${colour.join(",")}`,
        ).toBeLessThan(4);
  });

  test("grey alone is neutral, in all its steps", async () => {
    const { tags, colours } = await shown({ pixelFormat: "gray", ...said("bt709", "bt709", "bt709"), range: "pc" });
    expect(tags).toEqual(HD_TAGS);
    expect(colours.slice(0, 5)).toEqual(patchesAsMade.slice(0, 5));
  });

  test.each<[string, PatchesRecipe]>([
    ["HLG", { pixelFormat: "yuv420p10le", ...said("bt2020", "arib-std-b67", "bt2020nc") }],
    ["PQ", { pixelFormat: "yuv420p10le", ...said("bt2020", "smpte2084", "bt2020nc") }],
    ["PQ in RGB", { pixelFormat: "gbrp10le", ...said("bt2020", "smpte2084", "gbr"), range: "pc" }],
  ])("HDR, %s: greys stay neutral and in order, colours keep their hue", async (_, recipe) => {
    const { tags, colours } = await shown(recipe);
    expect(tags).toEqual(HD_TAGS);
    const greys = colours.slice(0, 5);
    for (const grey of greys) expect(Math.max(...grey) - Math.min(...grey), grey.join(",")).toBeLessThan(4);
    const lightness = greys.map(([, green]) => green);
    expect(lightness).toEqual(lightness.toSorted((a, b) => a - b));
    // The patches are no lighter than SDR's white, which HDR has room above: they become darker, black stays black.
    expect(lightness[0]).toBeLessThan(20);
    expect(lightness[4]).toBeGreaterThan(130);
    for (const [patch, strongest] of [0, 1, 2].entries()) {
      const [made, became] = [patchesAsMade[5 + patch], colours[5 + patch]].map((colour) => shareOf(colour, strongest));
      expect(became, `patch ${5 + patch}`).toBeCloseTo(made ?? 0, 1);
    }
  });
});

/** How much of a colour one of its channels is. */
const shareOf = (colour: readonly number[] = [], channel: number): number =>
  (colour[channel] ?? 0) / colour.reduce((sum, value) => sum + value, 0);
