export { dashboardRoutes, frontDoorRoutes, type Upstreams } from "./fukukaichou.ts";
