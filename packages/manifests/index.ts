export * from "./bandwidth.ts";
export * from "./hls.ts";
export * from "./model.ts";
export * from "./mpd.ts";
