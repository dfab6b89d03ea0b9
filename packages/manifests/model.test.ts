import type { AudioTrack, VideoTrack } from "@gakuen/contracts";
import { TrackId } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { presentation } from "./model.ts";
import { altered, audioTracks, plan, planOf, videoTracks } from "./plan.fixture.ts";

describe("a presentation", () => {
  test("takes measured bandwidths where there are some, else the plan's estimates", () => {
    const measured = new Map([[TrackId.parse("v720"), { peak: 2_000_001, average: 1_500_001 }]]);
    const { video } = presentation(plan, measured);
    expect(video.map(({ id, bandwidth, averageBandwidth }) => [id, bandwidth, averageBandwidth])).toEqual([
      ["v360", 800_000, 560_000],
      ["v720", 2_000_001, 1_500_001],
    ]);
  });

  test("has exactly one default rendition, however many the plan marks", () => {
    for (const marks of [
      [false, false],
      [true, true],
    ]) {
      const tracks = audioTracks.map((track, i) => altered(track, { default: marks[i] ?? false }));
      expect(presentation(planOf(tracks)).audio.map((track) => track.default)).toEqual([true, false]);
    }
  });

  test("names renditions apart and leaves an unknown language out", () => {
    const tracks = audioTracks.map((track) => altered(track, { label: " ", language: "und" }));
    const { audio } = presentation(planOf(tracks));
    expect(audio.map(({ label, language }) => [label, language])).toEqual([
      ["und", null],
      ["und (2)", null],
    ]);
  });

  test("knows 7.1 from 7.1 wide and does not guess at layouts without a code point", () => {
    const tracks = [
      ["7.1", 8],
      ["7.1(wide)", 8],
      ["hexagonal", 6],
      ["octagonal", 8],
      ["hexadecagonal", 16],
    ].map(([channelLayout, channels]) => soundIn(channelLayout as string, channels as number));
    const { audio } = presentation(planOf(tracks));
    expect(audio.map((track) => track.channelConfiguration)).toEqual([12, 7, null, null, null]);
  });

  test("refuses rungs that are cut at different times", () => {
    const [a, b] = videoTracks as [VideoTrack, VideoTrack];
    const odd = { ...b, timeline: [{ ticks: 1001, count: 1441 }] };
    expect(() => presentation(planOf([a, odd]))).toThrow("track v360 is not cut at the same times as v720");
  });
});

function soundIn(channelLayout: string, channels: number): AudioTrack {
  const track = audioTracks[0] as AudioTrack;
  return { ...track, channels, encoder: { ...track.encoder, channelLayout } };
}
