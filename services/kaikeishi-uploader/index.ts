export { createKaikeishi, type KaikeishiDeps } from "./kaikeishi.ts";
export { ingestRoutes } from "./routes.ts";
