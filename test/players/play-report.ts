/** The players of the lab: dash.js and shaka-player with an MPD, shaka-player and hls.js with a master playlist. */
export const playerNames = ["dash.js", "shaka-dash", "shaka-hls", "hls.js"] as const;
export type PlayerName = (typeof playerNames)[number];

/** Something that a player, the media element or the page itself complained of. */
export interface Complaint {
  readonly from: "player" | "element" | "page";
  readonly message: string;
  /** Where in the media, in seconds. */
  readonly position: number;
}

/** A time in which playback stood still (`waiting`) or data did not come (`stalled`). */
interface Wait {
  readonly event: "waiting" | "stalled";
  /** Only `playback` is a fault of a stream; a start and a seek have to wait. */
  readonly cause: "start" | "seek" | "playback";
  readonly position: number;
  readonly ms: number;
}

/** The shown picture changed its size, the first time from nothing: which rung is seen, whatever the player says. */
interface Switch {
  readonly position: number;
  readonly width: number;
  readonly height: number;
}

export interface FailedRequest {
  readonly url: string;
  /** HTTP status; null where no response came or the browser withheld it (CORS). */
  readonly status: number | null;
  readonly reason: string;
}

/** What was seen of a playback so far. */
export interface PlayReport {
  readonly ended: boolean;
  /** What ends playback. */
  readonly errors: readonly Complaint[];
  /** What the player says it recovers from. */
  readonly warnings: readonly Complaint[];
  /** 0 where no picture was decoded: a title in a codec that the browser lacks also "ends" without an error. */
  readonly videoWidth: number;
  readonly videoHeight: number;
  /** Decoded frames, without those of a playback rate above 1 that were never asked for. */
  readonly totalVideoFrames: number;
  readonly droppedVideoFrames: number;
  /** Seconds, as the element has them at this moment; players throw away what lies far behind. */
  readonly buffered: readonly { readonly start: number; readonly end: number }[];
  readonly waits: readonly Wait[];
  readonly switches: readonly Switch[];
  readonly duration: number;
  readonly currentTime: number;
  /** Requests that failed; those that a player itself gave up are not among them. */
  readonly failedRequests: readonly FailedRequest[];
}

/** What the page (page/session.js) offers to the harness. */
export interface PageApi {
  load(options: {
    readonly player: PlayerName;
    readonly url: string;
    readonly playbackRate: number;
    readonly audioOnly: boolean;
  }): Promise<void>;
  started(timeoutMs: number): Promise<{ ms: number }>;
  seek(position: number, timeoutMs: number): Promise<{ ms: number }>;
  toEnd(timeoutMs: number): Promise<void>;
  watchSync(seconds: number): Promise<{ flashes: readonly number[]; beeps: readonly number[] }>;
  report(): Omit<PlayReport, "failedRequests">;
}
