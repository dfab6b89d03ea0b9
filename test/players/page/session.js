/**
 * One playback and what is seen of it. The page offers `window.lab` to the harness; see `PageApi` in play-report.ts
 * for the shapes. Times are milliseconds of performance.now(), positions are seconds of the media.
 */
import { loadBundle, startPlayer } from "./start-player.js";
import { watchSync } from "./sync.js";

const video = document.querySelector("video");
const errors = [];
const warnings = [];
const waits = [];
const switches = [];
/** Frames that were really composited: the one proof that a picture is seen. */
const frames = { count: 0, mediaTime: -1, firstAt: 0 };
let loadedAt = 0;
let playingAt = 0;
let audioOnly = false;
let seekTarget = null;
let openWait = null;

function tell(from, fatal, message) {
  (fatal ? errors : warnings).push({ from, message, position: video.currentTime });
}

function onFrame(_now, { mediaTime }) {
  frames.count += 1;
  frames.mediaTime = mediaTime;
  frames.firstAt ||= performance.now();
  video.requestVideoFrameCallback(onFrame);
}
video.requestVideoFrameCallback(onFrame);

function beginWait(event) {
  if (openWait !== null) return;
  const cause = seekTarget !== null ? "seek" : playingAt === 0 ? "start" : "playback";
  openWait = { event: event.type, cause, position: video.currentTime, since: performance.now() };
}
function waitUntilNow() {
  const { since, ...wait } = openWait;
  return { ...wait, ms: performance.now() - since };
}
function endWait() {
  if (openWait === null) return;
  waits.push(waitUntilNow());
  openWait = null;
}
video.addEventListener("waiting", beginWait);
video.addEventListener("stalled", beginWait);
video.addEventListener("playing", () => {
  playingAt ||= performance.now();
  endWait();
});
video.addEventListener("timeupdate", () => {
  // `stalled` speaks of the network only; playback may never have stopped, so no `playing` follows.
  if (openWait !== null && video.currentTime > openWait.position) endWait();
});
video.addEventListener("ended", endWait);
video.addEventListener("resize", () =>
  switches.push({ position: video.currentTime, width: video.videoWidth, height: video.videoHeight }),
);
video.addEventListener("error", () => tell("element", true, `${video.error.code}: ${video.error.message}`));

/** Waits for something to become true; a fatal error or the time-out ends it with a reason. */
function until(what, timeoutMs, isTrue) {
  const deadline = performance.now() + timeoutMs;
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      if (isTrue()) resolve();
      else if (errors.length > 0) reject(new Error(`${what}: ${errors[0].from} failed: ${errors[0].message}`));
      else if (performance.now() > deadline) reject(new Error(`${what}: not within ${timeoutMs} ms`));
      else return;
      clearInterval(timer);
    }, 10);
  });
}

window.lab = {
  async load(options) {
    ({ audioOnly } = options);
    await loadBundle(options.player);
    // The default rate survives the loading of a source, the rate itself does not.
    video.defaultPlaybackRate = options.playbackRate;
    video.playbackRate = options.playbackRate;
    loadedAt = performance.now();
    startPlayer(options.player, video, options.url, (fatal, message) => tell("player", fatal, message));
  },

  async started(timeoutMs) {
    await until("start", timeoutMs, () => playingAt > 0 && (audioOnly ? video.currentTime > 0 : frames.count > 0));
    return { ms: Math.max(playingAt, frames.firstAt) - loadedAt };
  },

  async seek(position, timeoutMs) {
    const since = performance.now();
    seekTarget = position;
    let settled = false;
    video.addEventListener("seeked", () => (settled = true), { once: true });
    video.currentTime = position;
    if (video.paused) video.play().catch((error) => tell("element", false, error.message));
    // The first frame shown may be the one before the position; a second, later one shows that the picture moves.
    let first = null;
    await until(`seek to ${position} s`, timeoutMs, () => {
      if (!settled || video.seeking || video.currentTime <= position) return false;
      if (audioOnly) return true;
      if (first === null && frames.mediaTime > position - 0.1) first = { ...frames };
      return first !== null && frames.count > first.count && frames.mediaTime > first.mediaTime;
    });
    endWait();
    seekTarget = null;
    return { ms: performance.now() - since };
  },

  toEnd: (timeoutMs) => until("play to the end", timeoutMs, () => video.ended),

  watchSync: (seconds) => watchSync(video, seconds, until),

  report() {
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const buffered = Array.from({ length: video.buffered.length }, (_, i) => ({
      start: video.buffered.start(i),
      end: video.buffered.end(i),
    }));
    const { ended, videoWidth, videoHeight, currentTime } = video;
    const pending = openWait === null ? [] : [waitUntilNow()];
    return {
      ended,
      errors,
      warnings,
      videoWidth,
      videoHeight,
      totalVideoFrames,
      droppedVideoFrames,
      buffered,
      waits: [...waits, ...pending],
      switches,
      // JSON knows no NaN: a player that never got anywhere has no duration.
      duration: Number.isFinite(video.duration) ? video.duration : 0,
      currentTime,
    };
  },
};
