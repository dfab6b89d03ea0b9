export * from "./audio-repack.ts";
export { type Box, findBox, readBoxes } from "./boxes.ts";
export * from "./cmaf-splitter.ts";
export * from "./codec-string.ts";
export * from "./fragment.ts";
export * from "./h264-level.ts";
export { type InitInfo, readInit } from "./init-segment.ts";
export * from "./media-time.ts";
export * from "./mp4-index.ts";
