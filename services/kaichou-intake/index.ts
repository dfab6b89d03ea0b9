export { readableAddress, sourceFromKaichou, sourceInPlace, sourceNearby } from "./encoder-address.ts";
export { createKaichou, type Kaichou, type KaichouDeps } from "./kaichou.ts";
export { isObjectUrl } from "./object-address.ts";
export { titleControlRoutes } from "./routes.ts";
export { parseSource } from "./source-address.ts";
export { sourceRoutes } from "./source-bytes.ts";
