import type { EncodeJob } from "@gakuen/contracts";

/** Tracks of a chunk that one ffmpeg process encodes, by their index in the job. */
export interface Share {
  readonly tracks: readonly number[];
  readonly niceness: number;
}

/**
 * Encoders run below everything else, so that heartbeats, uploads and viewers are served on a full machine. Each step of
 * niceness is worth a quarter of processor time (sched(7)): what a viewer waits for gets nine times the background's.
 */
const NICENESS = { background: 15, hurried: 5, lowest: 0 };

/**
 * One process makes all tracks of a chunk, because decoding and scaling once is what saves. Where a viewer waits, the
 * lowest rung gets a process of its own: the source is decoded twice, but its first segment is there after about a
 * second instead of the whole ladder's six, and a player that waits has gone down to it. The bytes are the same.
 */
export function sharesOf(job: EncodeJob, hurry: boolean): readonly Share[] {
  const all = job.tracks.map((_, index) => index);
  if (!hurry) return [{ tracks: all, niceness: NICENESS.background }];
  if (job.kind === "audio" || all.length === 1) return [{ tracks: all, niceness: NICENESS.lowest }];
  const pixels = job.tracks.map((track) => track.width * track.height);
  const lowest = pixels.indexOf(Math.min(...pixels));
  return [
    { tracks: [lowest], niceness: NICENESS.lowest },
    { tracks: all.filter((index) => index !== lowest), niceness: NICENESS.hurried },
  ];
}
