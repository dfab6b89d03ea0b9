export * from "./fs-store.ts";
export * from "./key.ts";
export * from "./open-store.ts";
export * from "./port.ts";
export * from "./range.ts";
