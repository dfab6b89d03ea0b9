import { basename } from "node:path";

const films =
  /\.(mp4|m4v|mov|mkv|webm|avi|ts|m2ts|mts|mpg|mpeg|m2v|vob|mxf|gxf|wmv|asf|flv|f4v|ogv|ogm|3gp|3g2|dv|ivf|rm|wtv|divx)$/i;
const partial = /^[.~]|~$|\.(part|partial|crdownload|download|tmp|temp|filepart|aria2|!ut|opdownload|swp)$/i;
/** What this pipeline itself writes into a store. */
const ours = /(^|\/)titles\/[a-z0-9-]+\/[0-9a-f]{20}\//;

/**
 * What a path or key in a watched place is by its name. hidden: somebody's temporary or unfinished file, a hidden one, or
 * one of our own. other: by its ending no film.
 */
export function kindOfName(name: string): "film" | "hidden" | "other" {
  if (ours.test(name) || name.split("/").some((part) => part.startsWith("."))) return "hidden";
  const file = basename(name);
  if (partial.test(file)) return "hidden";
  return films.test(file) ? "film" : "other";
}
