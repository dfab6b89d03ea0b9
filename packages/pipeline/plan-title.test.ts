import { chunkOf, Plan, PlanSettings, planIdOf, segmentCount, segmentSpans, trackTicks } from "@gakuen/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeJob } from "./encode-jobs.ts";
import { planTitle } from "./plan-title.ts";
import { backgroundPriority, viewerPriority } from "./priority.ts";
import { inspected } from "./sample-inspection.ts";

const settings = PlanSettings.parse({});
const rates = [
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
];

describe("planTitle", () => {
  test("the same inspection with the same settings gives the same plan", () => {
    const first = planTitle(inspected(), settings);
    const second = planTitle(structuredClone(inspected()), settings);
    expect(second).toEqual(first);
    expect(planIdOf(JSON.parse(JSON.stringify(first.plan)))).toBe(first.planId);
  });

  test("other settings give another plan", () => {
    expect(planTitle(inspected(), PlanSettings.parse({ preset: "fast" })).planId).not.toBe(
      planTitle(inspected(), settings).planId,
    );
  });

  test("every segment of every track is made by exactly one chunk, and chunks agree with the timelines", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...rates),
        fc.integer({ min: 1, max: 20_000 }),
        fc.constantFrom(44_100, 48_000, 22_050),
        fc.boolean(),
        (frameRate, frames, sampleRate, seekable) => {
          const inspection = { ...inspected({ frameRate, frames }, [{ sampleRate }, { language: "de" }]), seekable };
          const { plan } = planTitle(inspection, settings);
          for (const track of plan.tracks) {
            for (let number = 1; number <= segmentCount(track); number++)
              expect(
                plan.chunks.filter(
                  (chunk) =>
                    chunk.tracks.includes(track.id) &&
                    number >= chunk.firstSegment &&
                    number < chunk.firstSegment + chunk.segments,
                ),
              ).toHaveLength(1);
            expect(chunkOf(plan, track.id, segmentCount(track) + 1)).toBeUndefined();
          }
          for (const chunk of plan.chunks)
            for (const id of chunk.tracks) {
              const track = plan.tracks.find((candidate) => candidate.id === id);
              if (!track) throw new Error(`no track ${id}`);
              const spans = [...segmentSpans(track, chunk.firstSegment, chunk.segments)];
              const from = spans[0]?.start ?? -1;
              const last = spans.at(-1);
              const to = last ? last.start + last.duration : -1;
              const [start, end] =
                chunk.kind === "video" ? [chunk.startFrame, chunk.endFrame] : [chunk.startPacket, chunk.endPacket];
              expect([from / track.sampleTicks, to / track.sampleTicks]).toEqual([start, end]);
            }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("audio is never shorter than the picture, and less than a packet longer", () => {
    for (const frameRate of rates)
      for (const frames of [1, 719, 1440, 10_007]) {
        const { plan } = planTitle(inspected({ frameRate, frames }), settings);
        const seconds = plan.duration.ticks / plan.duration.timescale;
        for (const track of plan.tracks) {
          const over = trackTicks(track) / track.timescale - seconds;
          expect(over).toBeGreaterThan(-1e-9);
          expect(over).toBeLessThan(track.kind === "audio" ? 1024 / track.timescale + 1e-9 : 1e-9);
        }
      }
  });

  test("audio boundaries stay within half a packet of the picture's for hours", () => {
    const { plan } = planTitle(inspected({ frameRate: { num: 24_000, den: 1001 }, frames: 259_000 }), settings);
    const [video, audio] = [plan.tracks[0], plan.tracks.at(-1)];
    if (!video || !audio) throw new Error("no tracks");
    const audioStarts = [...segmentSpans(audio)].map((span) => span.start / audio.timescale);
    for (const [index, span] of [...segmentSpans(video)].entries())
      expect(Math.abs((audioStarts[index] ?? 0) - span.start / video.timescale)).toBeLessThanOrEqual(512.5 / 48_000);
  });

  test("the title begins with the first frame; a long lead of sound is kept under a still picture", () => {
    const short = planTitle(inspected({ start: 0.08 }, [{ start: 0 }]), settings).plan;
    expect(short.originMicroseconds).toBe(80_000);
    const long = planTitle(inspected({ start: 2, frames: 240 }, [{ start: 0 }]), settings).plan;
    expect(long.originMicroseconds).toBe(0);
    expect(long.picture?.frames).toBe(240 + 48);
  });

  test("a container that cannot be sought is one video chunk", () => {
    const { plan } = planTitle({ ...inspected(), seekable: false }, settings);
    expect(plan.chunks.map((chunk) => chunk.id)).toEqual(["a1-0", "v0"]);
  });

  test("sound alone is a title too", () => {
    const { plan } = planTitle({ ...inspected(null, [{ duration: 61.3 }]), duration: 61.3 }, settings);
    expect(plan.picture).toBeNull();
    expect(plan.tracks.map((track) => track.kind)).toEqual(["audio"]);
    expect(trackTicks(plan.tracks[0] ?? never())).toBeGreaterThanOrEqual(61.3 * 48_000);
  });

  test("neither picture nor sound is an error that says so", () => {
    expect(() => planTitle(inspected(null, []), settings)).toThrow(
      expect.objectContaining({ code: "source.no-streams" }),
    );
  });

  test("a plan survives its schema", () => {
    const { plan } = planTitle(inspected(), settings);
    expect(Plan.parse(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
  });
});

describe("encodeJob", () => {
  test("holds only the chunk's own part of the timelines", () => {
    const { plan, planId } = planTitle(inspected(), settings);
    for (const chunk of plan.chunks) {
      const ref = { title: "film-x" as never, plan: planId, chunk: chunk.id };
      const job = encodeJob(ref, plan, chunk, { kind: "file", path: "/film.mp4" }, "grant");
      for (const track of job.tracks) expect(segmentCount(track)).toBe(chunk.segments);
      expect(JSON.stringify(job).length).toBeLessThan(6000);
    }
  });
});

describe("priorities", () => {
  const { plan } = planTitle(inspected(), settings);
  const byId = (id: string) => plan.chunks.find((chunk) => chunk.id === id) ?? never();

  test("the beginning's lowest rung and sound go first, then time decides, then the title's priority", () => {
    const order = ["v0-low", "v0-rest", "v1", "v2"].map((id) => backgroundPriority(plan, byId(id), 8));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(new Set(order).size).toBe(4);
    expect(backgroundPriority(plan, byId("a1-0"), 8)).toBe(order[0]);
    expect(backgroundPriority(plan, byId("v1"), 15)).toBeLessThan(backgroundPriority(plan, byId("v2"), 0));
  });

  test("who watches goes before all that nobody watches, and who asked last before who asked earlier", () => {
    const now = Date.UTC(2026, 10, 22);
    expect(viewerPriority(now)).toBeLessThan(backgroundPriority(plan, byId("v0-low"), 0));
    expect(viewerPriority(now + 100)).toBeLessThan(viewerPriority(now));
    for (const at of [0, now, now * 2]) expect(viewerPriority(at)).toBeGreaterThan(0);
  });
});

function never(): never {
  throw new Error("not there");
}
