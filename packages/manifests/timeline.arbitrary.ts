import type { VideoTrack } from "@gakuen/contracts";
import * as fc from "fast-check";
import { altered, videoTracks } from "./plan.fixture.ts";

/** Video tracks of any grid, with up to 300 segments in runs of different lengths. */
export const anyVideoTrack: fc.Arbitrary<VideoTrack> = fc
  .record({
    timescale: fc.constantFrom(24_000, 25_000, 30_000, 60_000, 90_000, 48_000, 44_100),
    timeline: fc.array(
      fc.record({ ticks: fc.integer({ min: 1, max: 1_000_000 }), count: fc.integer({ min: 1, max: 60 }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    ),
  })
  .map((grid) => altered(videoTracks[0] as VideoTrack, grid));
