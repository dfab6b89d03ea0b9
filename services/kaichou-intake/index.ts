export { createKaichou, type Kaichou, type KaichouDeps } from "./kaichou.ts";
export { titleControlRoutes } from "./routes.ts";
export { parseSource, showSource } from "./source-address.ts";
export { sourceFromKaichou, sourceInPlace, sourceRoutes } from "./source-bytes.ts";
