import type { InspectedVideo, Seek } from "@gakuen/contracts";

/**
 * How a chunk's encoder reaches its first frame, and how many seconds it has to decode for that.
 *
 * With a key frame index the demuxer is sent to the last key frame well before the chunk: 0.2 s before, since leading
 * pictures of an open GOP are shown before their key frame but stored behind it; 1 s for variable timing, where the
 * frame on show at the chunk's start may be older. ffmpeg moves a seek target back by 3/23 s to allow for reordering
 * (ffmpeg_demux.c, `seek_timestamp -= 3 * AV_TIME_BASE / 23`), so the target is a little behind the key frame.
 *
 * @param seconds the chunk's start, seconds from the container's start time
 */
export function seekTo(seconds: number, video: InspectedVideo): { readonly seek: Seek; readonly leadSeconds: number } {
  const margin = video.timing === "constant" ? 0.2 : 1;
  if (video.keyframes.length > 0) {
    const keyframe = lastAtOrBefore(video.keyframes, seconds - margin);
    if (keyframe === undefined || keyframe <= video.start) return fromStart(seconds, video);
    return { seek: { mode: "keyframe", seconds: round6(keyframe + 0.14) }, leadSeconds: seconds - keyframe };
  }
  if (seconds - 1 <= 0) return fromStart(seconds, video);
  // Without an index the length of a GOP is unknown; two seconds is common.
  return { seek: { mode: "before", seconds: round6(seconds - 1) }, leadSeconds: 2 };
}

function fromStart(seconds: number, video: InspectedVideo): { seek: Seek; leadSeconds: number } {
  return { seek: { mode: "start" }, leadSeconds: Math.max(0, seconds - video.start) };
}

function lastAtOrBefore(sorted: readonly number[], limit: number): number | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}

const round6 = (value: number): number => Math.round(value * 1e6) / 1e6;
