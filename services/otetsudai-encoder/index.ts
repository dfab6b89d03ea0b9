export { createHttpIngest } from "./http-ingest.ts";
export { type OtetsudaiDeps, startOtetsudai } from "./otetsudai.ts";
