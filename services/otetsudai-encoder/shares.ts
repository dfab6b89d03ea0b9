import type { EncodeJob } from "@gakuen/contracts";

/** Tracks of a chunk that one ffmpeg process encodes, by their index in the job. */
export interface Share {
  readonly tracks: readonly number[];
  readonly niceness: number;
  readonly decoderThreads: number;
  /** A viewer waits for this chunk. */
  readonly watched: boolean;
}

/**
 * Encoders run below everything else, so that heartbeats, uploads and viewers are served on a full machine. Each step of
 * niceness is worth a quarter of processor time (sched(7)): what a viewer waits for gets nearly five times the
 * background's, the track itself nine times.
 */
export const BACKGROUND_NICENESS = 10;
const NICENESS = { background: BACKGROUND_NICENESS, hurried: 3, wanted: 0 };

/** Decoding is most of what a low rung costs. */
const HURRIED_DECODER_THREADS = 2;

/**
 * One process makes all tracks of a chunk, because decoding and scaling once is what saves. Where a viewer waits, the
 * track that is waited for gets a process of its own (the lowest rung where that is not known: a player that waits goes
 * down to it): the source is decoded twice, but its first segment is there after about a second instead of the whole
 * ladder's six. The bytes are the same.
 *
 * The sound and the lowest rung of a title's beginning are chunks of their own, and in a hurry always: there every
 * viewer starts.
 *
 * @param wanted tracks that viewers wait for, by their index in the job
 */
export function sharesOf(job: EncodeJob, hurry: boolean, wanted: ReadonlySet<number>): readonly Share[] {
  const all = job.tracks.map((_, index) => index);
  const beginning = job.chunk.firstSegment === 1 && all.length === 1;
  if (!hurry && !beginning) return [{ tracks: all, niceness: NICENESS.background, decoderThreads: 1, watched: false }];
  const first = wanted.size > 0 ? [...wanted] : [lowestRung(job)];
  const rest = all.filter((index) => !first.includes(index));
  return [
    ...first.map((track) => ({
      tracks: [track],
      // A segment of sound is soon made: it leaves the processor to the picture.
      niceness: job.kind === "audio" ? NICENESS.hurried : NICENESS.wanted,
      decoderThreads: HURRIED_DECODER_THREADS,
      watched: hurry,
    })),
    ...(rest.length > 0 ? [{ tracks: rest, niceness: NICENESS.hurried, decoderThreads: 1, watched: hurry }] : []),
  ];
}

function lowestRung(job: EncodeJob): number {
  if (job.kind === "audio") return 0;
  const pixels = job.tracks.map((track) => track.width * track.height);
  return pixels.indexOf(Math.min(...pixels));
}

/**
 * A viewer comes to wait for a track of a chunk that is already being encoded: the track is encoded a second time in a
 * process of its own that overtakes the first. (The first cannot be made faster: only root may lower a niceness.)
 * Undefined where the track already has such a process.
 */
export function expressShare(shares: readonly Share[], track: number): Share | undefined {
  const share = shares.find(({ tracks }) => tracks.includes(track));
  if (!share || (share.tracks.length === 1 && share.niceness < NICENESS.background)) return undefined;
  return { tracks: [track], niceness: NICENESS.wanted, decoderThreads: HURRIED_DECODER_THREADS, watched: true };
}
