import { initName, segmentName, segmentSpans, trackTicks } from "@gakuen/contracts";
import * as fc from "fast-check";
import { parse } from "mpd-parser";
import { describe, expect, test } from "vitest";
import { presentation } from "./model.ts";
import { writeMpd } from "./mpd.ts";
import { altered, audioTracks, plan, planOf, videoTracks } from "./plan.fixture.ts";
import { anyVideoTrack } from "./timeline.arbitrary.ts";

const manifestUri = "https://example.org/titles/t/p/manifest.mpd";

const EXPECTED = `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" mediaPresentationDuration="PT60.101709S" maxSegmentDuration="PT4.010667S" minBufferTime="PT3.989333S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" par="16:9" maxWidth="1280" maxHeight="720" maxFrameRate="24000/1001">
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate timescale="24000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="1">
        <SegmentTimeline>
          <S t="0" d="96096" r="14"/>
          <S d="1001"/>
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="v360" codecs="avc1.64001E" bandwidth="800000" width="640" height="360" frameRate="24000/1001" sar="1:1"/>
      <Representation id="v720" codecs="avc1.64001F" bandwidth="2500000" width="1280" height="720" frameRate="24000/1001" sar="1:1"/>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" lang="en">
      <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
      <Label>English</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate timescale="48000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="1">
        <SegmentTimeline>
          <S t="0" d="191488"/>
          <S d="192512" r="12"/>
          <S d="191488"/>
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="a1" codecs="mp4a.40.2" bandwidth="140800" audioSamplingRate="48000"/>
    </AdaptationSet>
    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" lang="ja">
      <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="6"/>
      <Label>日本語</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="alternate"/>
      <SegmentTemplate timescale="48000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="1">
        <SegmentTimeline>
          <S t="0" d="191488"/>
          <S d="192512" r="12"/>
          <S d="191488"/>
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="a2" codecs="mp4a.40.2" bandwidth="422400" audioSamplingRate="48000"/>
    </AdaptationSet>
  </Period>
</MPD>
`;

describe("the MPD", () => {
  test("of a film with two rungs and two languages is exactly this", () => {
    expect(writeMpd(presentation(plan))).toBe(EXPECTED);
  });

  test("as a parser reads it names every segment of the plan at its time", () => {
    const parsed = parse(EXPECTED, { manifestUri });
    const sound = Object.values(parsed.mediaGroups.AUDIO["audio"] ?? {});
    expect(sound.map((group) => [group.language, group.default])).toEqual([
      ["en", true],
      ["ja", false],
    ]);
    const playlists = [...parsed.playlists, ...sound.flatMap((group) => group.playlists)];
    expect(playlists.map((playlist) => playlist.attributes["NAME"])).toEqual(["v360", "v720", "a1", "a2"]);
    for (const playlist of playlists) {
      const track = plan.tracks.find((track) => track.id === playlist.attributes["NAME"]);
      if (track === undefined) throw new Error("a playlist without a track");
      const spans = [...segmentSpans(track)];
      expect(playlist.segments.map((segment) => segment.resolvedUri)).toEqual(
        spans.map((span) => new URL(segmentName(track.id, span.number), manifestUri).href),
      );
      expect(playlist.segments[0]?.map.resolvedUri).toBe(new URL(initName(track.id), manifestUri).href);
      for (const [i, span] of spans.entries()) {
        expect(playlist.segments[i]?.presentationTime).toBeCloseTo(span.start / track.timescale, 9);
        expect(playlist.segments[i]?.duration).toBeCloseTo(span.duration / track.timescale, 9);
      }
    }
  });

  test("a title without video, or without audio, has only the other's sets", () => {
    const soundOnly = writeMpd(presentation(planOf(audioTracks)));
    const pictureOnly = writeMpd(presentation(planOf(videoTracks)));
    expect(soundOnly.match(/contentType="\w+"/g)).toEqual(['contentType="audio"', 'contentType="audio"']);
    expect(pictureOnly.match(/contentType="\w+"/g)).toEqual(['contentType="video"']);
  });

  test("text from a source cannot break out of its place", () => {
    const label = `<a> & "b" ' \u0001 \uD800`;
    const hostile = audioTracks.map((track) => altered(track, { label, language: `e"n` }));
    const mpd = writeMpd(presentation(planOf(hostile)));
    expect(mpd).toContain(`<Label>&lt;a&gt; &amp; &quot;b&quot; ' \u{FFFD} \u{FFFD}</Label>`);
    expect(mpd).toContain('lang="e&quot;n"');
  });

  test("no segment is longer than maxSegmentDuration, and the timeline fills the presentation", () => {
    fc.assert(
      fc.property(anyVideoTrack, (track) => {
        const whole = { ...planOf([track]), duration: { ticks: trackTicks(track), timescale: track.timescale } };
        const mpd = writeMpd(presentation(whole));
        const longest = secondsOf(mpd, "maxSegmentDuration");
        const ticks = [...mpd.matchAll(/<S (?:t="0" )?d="(\d+)"(?: r="(\d+)")?\/>/g)].map(([, d, r]) => ({
          duration: Number(d),
          count: Number(r ?? 0) + 1,
        }));
        // Whole microseconds: the comparison must not depend on floating point.
        for (const { duration } of ticks)
          expect(BigInt(duration) * 1_000_000n <= longest * BigInt(track.timescale)).toBe(true);
        const sum = ticks.reduce((sum, { duration, count }) => sum + duration * count, 0);
        expect(sum).toBe(trackTicks(track));
        const surplus =
          secondsOf(mpd, "mediaPresentationDuration") * BigInt(track.timescale) - BigInt(sum) * 1_000_000n;
        expect(surplus >= 0n && surplus < BigInt(track.timescale)).toBe(true);
      }),
    );
  });
});

/** A duration attribute in microseconds. */
function secondsOf(mpd: string, attribute: string): bigint {
  const match = new RegExp(`${attribute}="PT(\\d+)(?:\\.(\\d{1,6}))?S"`).exec(mpd);
  if (match === null) throw new Error(`${attribute} is not a plain decimal`);
  return BigInt(match[1] ?? "") * 1_000_000n + BigInt((match[2] ?? "").padEnd(6, "0"));
}
