export { viewTitle } from "./catalogue.ts";
export type { CatalogueEvent } from "./live-catalogue.ts";
export { createShoki, type Shoki, type ShokiDeps } from "./shoki.ts";
export { replicaRoutes } from "./replica-routes.ts";
export { startReplication } from "./replication.ts";
