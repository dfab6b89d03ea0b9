import { initName, segmentCount, segmentName, trackTicks } from "@gakuen/contracts";
import type { AudioTrack, Track } from "@gakuen/contracts";
import * as fc from "fast-check";
import { Parser } from "m3u8-parser";
import { describe, expect, test } from "vitest";
import { writeMasterPlaylist, writeMediaPlaylist } from "./hls.ts";
import type { Representation } from "./model.ts";
import { presentation } from "./model.ts";
import { altered, audioTracks, plan, planOf, videoTracks } from "./plan.fixture.ts";
import { anyVideoTrack } from "./timeline.arbitrary.ts";

describe("the master playlist", () => {
  test("of a film with two rungs and two languages is exactly this", () => {
    expect(writeMasterPlaylist(presentation(plan))).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a1.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="日本語",LANGUAGE="ja",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="6",URI="a2.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1222400,AVERAGE-BANDWIDTH=944000,CODECS="avc1.64001E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=23.976,AUDIO="audio",CLOSED-CAPTIONS=NONE
v360.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2922400,AVERAGE-BANDWIDTH=2134000,CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO="audio",CLOSED-CAPTIONS=NONE
v720.m3u8
`);
  });

  test("as a parser reads it offers the rungs lowest first, and the languages", () => {
    const parsed = parsePlaylist(writeMasterPlaylist(presentation(plan)));
    expect(parsed.playlists?.map(({ uri }) => uri)).toEqual(["v360.m3u8", "v720.m3u8"]);
    expect(parsed.independentSegments).toBe(true);
    expect(parsed.mediaGroups?.AUDIO["audio"]).toMatchObject({
      English: { default: true, autoselect: true, language: "en", uri: "a1.m3u8" },
      日本語: { default: false, autoselect: true, language: "ja", uri: "a2.m3u8" },
    });
  });

  test("a title without audio names no group, and only the video codec", () => {
    const playlist = writeMasterPlaylist(presentation(planOf(videoTracks)));
    expect(playlist).not.toContain("AUDIO");
    expect(playlist).toContain('BANDWIDTH=800000,AVERAGE-BANDWIDTH=560000,CODECS="avc1.64001E",');
  });

  test("a title without video plays its default rendition, which therefore has no URI of its own", () => {
    expect(writeMasterPlaylist(presentation(planOf(audioTracks)))).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="日本語",LANGUAGE="ja",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="6",URI="a2.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=422400,AVERAGE-BANDWIDTH=384000,CODECS="mp4a.40.2",AUDIO="audio"
a1.m3u8
`);
  });

  test("of several renditions in one language only one is chosen automatically", () => {
    const tracks = ["Film", "Commentary"].map((label, i) =>
      altered(audioTracks[0] as AudioTrack, { id: `a${i + 1}` as Track["id"], label, default: i === 0 }),
    );
    const playlist = writeMasterPlaylist(presentation(planOf(tracks)));
    expect(playlist.match(/DEFAULT=\w+,AUTOSELECT=\w+/g)).toEqual([
      "DEFAULT=YES,AUTOSELECT=YES",
      "DEFAULT=NO,AUTOSELECT=NO",
    ]);
  });

  test("a label cannot break out of its quotes or its line", () => {
    const label = 'a"b\n#EXT-X-ENDLIST';
    const playlist = writeMasterPlaylist(presentation(planOf(audioTracks.map((track) => altered(track, { label })))));
    expect(playlist).toContain(`NAME="a'b #EXT-X-ENDLIST"`);
    expect(playlist).toContain(`NAME="a'b #EXT-X-ENDLIST (2)"`);
  });
});

describe("a media playlist", () => {
  test("names the init segment and every segment of the plan", () => {
    for (const track of plan.tracks) {
      const parsed = parsePlaylist(writeMediaPlaylist(representationOf(track)));
      expect(parsed).toMatchObject({ version: 7, endList: true, playlistType: "VOD", independentSegments: true });
      expect(parsed.segments.map(({ uri }) => uri)).toEqual(
        Array.from({ length: segmentCount(track) }, (_, i) => segmentName(track.id, i + 1)),
      );
      expect(new Set(parsed.segments.map(({ map }) => map?.uri))).toEqual(new Set([initName(track.id)]));
    }
  });

  test("writes durations as decimals without floating-point noise, followed by a comma", () => {
    const lines = writeMediaPlaylist(presentation(plan).video[0] as Representation).split("\n");
    expect(lines.slice(0, 9)).toEqual([
      "#EXTM3U",
      "#EXT-X-VERSION:7",
      "#EXT-X-TARGETDURATION:4",
      "#EXT-X-MEDIA-SEQUENCE:1",
      "#EXT-X-PLAYLIST-TYPE:VOD",
      "#EXT-X-INDEPENDENT-SEGMENTS",
      '#EXT-X-MAP:URI="v360/init.mp4"',
      "#EXTINF:4.004,",
      "v360/1.m4s",
    ]);
    expect(lines.slice(-4)).toEqual(["#EXTINF:0.041708,", "v360/16.m4s", "#EXT-X-ENDLIST", ""]);
  });

  test("rounding never adds up, and no rounded duration exceeds the target duration", () => {
    fc.assert(
      fc.property(anyVideoTrack, (track) => {
        const playlist = writeMediaPlaylist(representationOf(track));
        const micros = [...playlist.matchAll(/^#EXTINF:(\d+)(?:\.(\d{1,6}))?,$/gm)].map(
          ([, whole = "", fraction = ""]) => BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0")),
        );
        expect(micros).toHaveLength(segmentCount(track));
        const sum = micros.reduce((a, b) => a + b, 0n);
        const error = 2n * (sum * BigInt(track.timescale) - BigInt(trackTicks(track)) * 1_000_000n);
        expect(error <= BigInt(track.timescale) && error >= -BigInt(track.timescale)).toBe(true);
        const target = BigInt(/^#EXT-X-TARGETDURATION:(\d+)$/m.exec(playlist)?.[1] ?? "");
        for (const duration of micros) expect((duration + 500_000n) / 1_000_000n <= target).toBe(true);
      }),
    );
  });
});

function parsePlaylist(text: string) {
  const parser = new Parser();
  parser.push(text);
  parser.end();
  return parser.manifest;
}

function representationOf(track: Track): Representation {
  const [representation] = presentation(planOf([track])).tracks;
  if (representation === undefined) throw new Error("a track without a representation");
  return representation;
}
