export * from "./audio-args.ts";
export * from "./process.ts";
export * from "./source-input.ts";
export * from "./tools.ts";
export * from "./video-args.ts";
