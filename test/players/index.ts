export * from "./play-report.ts";
export { PlaybackFailed, type PlaySession } from "./play-session.ts";
export { openPlayers, type PlayerLab, type PlayOptions, type SyncReport } from "./player-lab.ts";
export { serveFolder, type StaticServer } from "./static-server.ts";
