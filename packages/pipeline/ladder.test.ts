import { type InspectedVideo, PlanSettings } from "@gakuen/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ladder } from "./ladder.ts";
import { inspected } from "./sample-inspection.ts";

const settings = PlanSettings.parse({});
const rate = { num: 24, den: 1 };

function sizes(displayWidth: number, displayHeight: number, wish = settings): string[] {
  const video = inspected({ displayWidth, displayHeight }).video as InspectedVideo;
  return ladder(video, rate, wish).map((rung) => `${rung.name}:${rung.width}x${rung.height}`);
}

describe("ladder", () => {
  test("a 1080p source gets every standard height below it", () => {
    expect(sizes(1920, 1080)).toEqual(["1080:1920x1080", "720:1280x720", "480:852x480", "360:640x360", "240:426x240"]);
  });
  test("a cinema picture belongs to the rung whose width it has", () => {
    expect(sizes(1920, 804)[0]).toBe("1080:1920x804");
    expect(sizes(1920, 804)[1]).toBe("720:1280x536");
  });
  test("a portrait picture is fitted into portrait boxes", () => {
    expect(sizes(1080, 1920).slice(0, 2)).toEqual(["1080:1080x1920", "720:720x1280"]);
  });
  test("a source between two rungs keeps its own size on top", () => {
    expect(sizes(1600, 900).slice(0, 2)).toEqual(["900:1600x900", "720:1280x720"]);
  });
  test("a source just above a rung does not get a second one of nearly the same size", () => {
    expect(sizes(1920, 1088)[0]).toMatch(/^1080:/);
  });
  test("a tiny source is one rung of its own size", () => {
    expect(sizes(160, 90)).toEqual(["90:160x90"]);
  });
  test("an odd size becomes even and no larger", () => {
    expect(sizes(639, 359)[0]).toBe("360:638x358");
  });
  test("heights that were asked for are kept, except those that would enlarge", () => {
    expect(sizes(1280, 720, PlanSettings.parse({ rungs: [1080, 720, 200] }))).toEqual(["720:1280x720", "200:354x200"]);
  });
  test("no rung is larger than the source, all are even, distinct and descending", () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 8192 }), fc.integer({ min: 16, max: 8192 }), (width, height) => {
        const video = inspected({ displayWidth: width, displayHeight: height }).video as InspectedVideo;
        const rungs = ladder(video, rate, settings);
        expect(rungs.length).toBeGreaterThan(0);
        for (const [index, rung] of rungs.entries()) {
          expect((rung.width % 2) + (rung.height % 2)).toBe(0);
          expect(rung.width).toBeLessThanOrEqual(width);
          expect(rung.height).toBeLessThanOrEqual(height);
          const above = rungs[index - 1];
          if (above) expect(above.width * above.height).toBeGreaterThan(rung.width * rung.height);
        }
      }),
    );
  });
});
