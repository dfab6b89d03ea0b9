import type { ObjectStore } from "@gakuen/storage";
import { kindOfName } from "./film-name.ts";
import { objectVersion } from "./locate-source.ts";
import { objectIn, plainUrl } from "./object-address.ts";
import type { SeenFilm, WatchedPlace } from "./watched-place.ts";

const EVERY_MS = 10_000;

/**
 * The objects of a bucket under `s3://bucket/prefix?…`. An object appears whole, so there is nothing to wait for. The
 * place is the bucket by its name alone: another endpoint or region for it does not make its films new.
 */
export function watchedBucket(
  url: string,
  open: (storeUrl: string) => Promise<ObjectStore>,
  everyMs = EVERY_MS,
): WatchedPlace {
  const { host, pathname, search } = new URL(url);
  const storeUrl = `s3://${host}${search}`;
  const folder = decodeURIComponent(pathname).replace(/^\/+|\/+$/g, "");
  const prefix = folder === "" ? "" : `${folder}/`;
  return {
    shown: `s3://${host}/${prefix}`,
    place: `s3://${host}`,
    settleMs: 0,
    everyMs,
    async *films(other) {
      const store = await open(storeUrl);
      for await (const { key, bytes, etag } of store.list(prefix)) {
        const kind = kindOfName(key);
        if (kind === "other" && !key.endsWith("/")) other(key);
        if (kind !== "film" || bytes === 0) continue;
        const object = objectIn(storeUrl, key);
        const source: SeenFilm["source"] = { kind: "http", url: plainUrl(object) };
        yield { name: key, version: objectVersion({ bytes, etag }), source, object: object.url };
      }
    },
  };
}
