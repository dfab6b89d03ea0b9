export { encodeJob } from "./encode-jobs.ts";
export { planTitle } from "./plan-title.ts";
export { backgroundPriority, viewerPriority } from "./priority.ts";
