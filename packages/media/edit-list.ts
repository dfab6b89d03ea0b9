import { type Box, fullBox, malformed, readUint64 } from "./boxes.ts";
import { rescale } from "./media-time.ts";
import type { SampleTable } from "./sample-table.ts";

/** The one cut that an edit list of the usual kind makes, in ticks of the track. */
export interface Edit {
  /** Nothing is shown before this time of the movie. */
  readonly delay: number;
  /** Composition times [mediaTime, mediaTime + duration) are shown. */
  readonly mediaTime: number;
  readonly duration: number;
}

/** Which samples are shown, and what is added to their composition times. */
export interface EditedTrack {
  /** Indices into the sample table, in decode order. */
  readonly presented: readonly number[];
  readonly shift: number;
}

const EMPTY = -1;

/**
 * The edit of an elst box (ISO/IEC 14496-12 §8.6.6): empty edits, then one cut. Undefined for any other list: repeated
 * and reordered scenes are rare, and demuxers disagree about them. Errors: `ingest.malformed`.
 */
export function readEdit(elst: Box, timescale: number, movieTimescale: number): Edit | undefined {
  const { version } = fullBox(elst, 8);
  const rows = elst.body.readUInt32BE(4);
  const rowBytes = version === 1 ? 20 : 12;
  if (elst.body.length < 8 + rows * rowBytes) throw malformed(`box 'elst' is too short for ${rows} edits`);
  let delay = 0;
  for (let row = 0; row < rows; row++) {
    const at = 8 + row * rowBytes;
    const movieTicks = version === 1 ? readUint64(elst.body, at) : elst.body.readUInt32BE(at);
    const mediaTime = version === 1 ? Number(elst.body.readBigInt64BE(at + 8)) : elst.body.readInt32BE(at + 4);
    const duration = rescale(movieTicks, movieTimescale, timescale, "round");
    if (mediaTime === EMPTY) {
      delay += duration;
      continue;
    }
    const usual = row === rows - 1 && mediaTime >= 0 && Number.isSafeInteger(mediaTime) && duration > 0;
    return usual ? { delay, mediaTime, duration } : undefined;
  }
  return undefined;
}

/**
 * Applies an edit as ffmpeg's demuxer does with its default options. Reading begins at the sync sample before the cut
 * and ends after it; what lies outside the cut is decoded, not shown. Video is moved so that its first frame is shown
 * at `delay`, even when the cut begins a little before it; audio keeps the packet that the cut begins in.
 */
export function applyEdit(table: SampleTable, edit: Edit, handler: string, timescale: number): EditedTrack {
  const audio = handler === "soun";
  const { decodeTimes, compositionTimes, sync, reordered } = table;
  const count = decodeTimes.length;
  const end = edit.mediaTime + edit.duration;
  const presented: number[] = [];
  let origin: number | undefined;
  let earliest = Number.POSITIVE_INFINITY;
  let syncSamplesAfter = 0;
  for (let i = firstSample(table, audio ? Math.max(0, edit.mediaTime - timescale) : edit.mediaTime); i < count; i++) {
    const composition = compositionTimes[i] ?? 0;
    const decode = decodeTimes[i] ?? 0;
    const duration = i + 1 < count ? (decodeTimes[i + 1] ?? 0) - decode : edit.duration;
    const cutByStart = audio && composition < edit.mediaTime && composition + duration > edit.mediaTime;
    if (cutByStart || (composition >= edit.mediaTime && composition < end)) {
      presented.push(i);
      earliest = Math.min(earliest, composition);
      origin ??= cutByStart ? edit.mediaTime : decode;
    }
    if (composition + duration < end || !(audio || sync[i] === 1)) continue;
    // Frames shown before this sync sample may still follow it, so a reordered track is read to the next one.
    syncSamplesAfter += 1;
    if (audio || !reordered || syncSamplesAfter === 2) break;
  }
  if (origin === undefined) return { presented, shift: edit.delay - edit.mediaTime };
  const toFirstFrame = handler === "vide" ? Math.max(0, earliest - origin) : 0;
  return { presented, shift: edit.delay - origin - toFirstFrame };
}

/** The last sync sample that is decoded and shown no later than `time`; the first sample where there is none. */
function firstSample({ decodeTimes, compositionTimes, sync }: SampleTable, time: number): number {
  let found = 0;
  for (let i = 0; i < decodeTimes.length; i++) {
    if ((decodeTimes[i] ?? 0) > time) break;
    if (sync[i] === 1 && (compositionTimes[i] ?? 0) <= time) found = i;
  }
  return found;
}
