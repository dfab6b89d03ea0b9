export { createHttpIngest } from "./http-ingest.ts";
export { type OtetsudaiDeps, startOtetsudai } from "./otetsudai.ts";
export { trackBody } from "./track-body.ts";
