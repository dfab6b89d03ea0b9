export * from "./play-report.ts";
export { PlaybackFailed } from "./play-session.ts";
export { openPlayers, type PlayerLab } from "./player-lab.ts";
export { serveFolder, type StaticServer } from "./static-server.ts";
