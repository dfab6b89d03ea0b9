import type { EncodeJob } from "@gakuen/contracts";

/** Tracks of a chunk that one ffmpeg process encodes, by their index in the job. */
export interface Share {
  readonly tracks: readonly number[];
  readonly niceness: number;
  readonly decoderThreads: number;
}

/**
 * Encoders run below everything else, so that heartbeats, uploads and viewers are served on a full machine. Each step of
 * niceness is worth a quarter of processor time (sched(7)): what a viewer waits for gets nearly five times the
 * background's, its lowest rung nine times.
 */
const NICENESS = { background: 10, hurried: 3, lowest: 0 };

/** Decoding is most of what the lowest rung costs. */
const HURRIED_DECODER_THREADS = 2;

/**
 * One process makes all tracks of a chunk, because decoding and scaling once is what saves. Where a viewer waits, the
 * lowest rung gets a process of its own: the source is decoded twice, but its first segment is there after about a
 * second instead of the whole ladder's six, and a player that waits has gone down to it. The bytes are the same.
 */
export function sharesOf(job: EncodeJob, hurry: boolean): readonly Share[] {
  const all = job.tracks.map((_, index) => index);
  if (!hurry) return [{ tracks: all, niceness: NICENESS.background, decoderThreads: 1 }];
  if (job.kind === "audio" || all.length === 1)
    return [{ tracks: all, niceness: NICENESS.lowest, decoderThreads: HURRIED_DECODER_THREADS }];
  const pixels = job.tracks.map((track) => track.width * track.height);
  const lowest = pixels.indexOf(Math.min(...pixels));
  return [
    { tracks: [lowest], niceness: NICENESS.lowest, decoderThreads: HURRIED_DECODER_THREADS },
    { tracks: all.filter((index) => index !== lowest), niceness: NICENESS.hurried, decoderThreads: 1 },
  ];
}

/**
 * A viewer comes to wait for a track of a chunk that is already being encoded: the track is encoded a second time in a
 * process of its own that overtakes the first. (The first cannot be made faster: only root may lower a niceness.)
 * Undefined where the track already has such a process.
 */
export function expressShare(shares: readonly Share[], track: number): Share | undefined {
  const share = shares.find(({ tracks }) => tracks.includes(track));
  if (!share || (share.tracks.length === 1 && share.niceness < NICENESS.background)) return undefined;
  return { tracks: [track], niceness: NICENESS.lowest, decoderThreads: HURRIED_DECODER_THREADS };
}
