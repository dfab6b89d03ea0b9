import { PipelineError, type SegmentSpan, type Track } from "@gakuen/contracts";
import type { FragmentInfo, InitInfo } from "@gakuen/media";

/** One fact in which what came differs from what the plan says. */
interface Difference {
  readonly what: string;
  readonly planned: string | number | boolean;
  readonly received: string | number | boolean;
}

/**
 * Refuses an init segment that is not the planned track's.
 * Errors: `ingest.mismatch`, naming every difference.
 */
export function checkInit(track: Track, info: InitInfo): void {
  refuse(`init segment of ${track.id}`, [
    { what: "media type", planned: track.kind, received: info.kind },
    { what: "codec", planned: track.codec, received: info.codec },
    { what: "timescale", planned: track.timescale, received: info.timescale },
    // An edit list moves the presentation away from the times in the manifest.
    { what: "edit list", planned: false, received: info.hasEditList },
    ...(track.kind === "video"
      ? [
          { what: "width", planned: track.width, received: info.width },
          { what: "height", planned: track.height, received: info.height },
        ]
      : [
          { what: "channels", planned: track.channels, received: info.channels },
          { what: "sampling rate", planned: track.encoder.sampleRate, received: info.sampleRate },
        ]),
  ]);
}

/**
 * Refuses a fragment that is not the planned segment, whole and at its time: an encoder's exit code proves nothing.
 * Errors: `ingest.mismatch`, naming every difference.
 */
export function checkFragment(track: Track, span: SegmentSpan, info: FragmentInfo): void {
  refuse(`segment ${span.number} of ${track.id}`, [
    { what: "decode time", planned: span.start, received: info.decodeTime },
    { what: "samples", planned: span.duration / track.sampleTicks, received: info.samples },
    { what: "duration in ticks", planned: span.duration, received: info.duration },
    { what: "starts with a sync sample", planned: true, received: info.startsWithSync },
    { what: "offset of the first presentation in ticks", planned: 0, received: info.firstPresentationOffset },
  ]);
}

function refuse(name: string, facts: readonly Difference[]): void {
  const wrong = facts.filter((fact) => fact.planned !== fact.received);
  if (wrong.length === 0) return;
  const list = wrong.map((fact) => `${fact.what}: planned ${fact.planned}, received ${fact.received}`).join("; ");
  throw new PipelineError("ingest.mismatch", `${name} is not what the plan says (${list})`);
}
