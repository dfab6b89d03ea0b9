export type { EngineLog } from "./log.ts";
export { type Engine, type EngineOptions, openEngine } from "./engine.ts";
export type { Failure } from "./failures.ts";
export type { Handler, HandlerContext, WorkerHandle } from "./worker.ts";
