import type { Engine } from "@gakuen/engine";
import type { HttpServer, Log } from "@gakuen/platform";
import type { Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { type CatalogueListener, LiveCatalogue } from "./live-catalogue.ts";
import { publishTitle } from "./publish-title.ts";
import { titleRoutes } from "./title-routes.ts";
import { WaitingRoom } from "./waiting-room.ts";
import { watchRoutes } from "./watch-routes.ts";

export interface ShokiDeps {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly log: Log;
}

export interface Shoki {
  routes(server: HttpServer): void;
  /** Tells of every change of a title until the returned function is called. */
  subscribe(listener: CatalogueListener): () => void;
  /** Begins to publish titles whose chunks are done. */
  start(): { stop(): Promise<void> };
}

/** The secretary: the catalogue, the manifests, the segments, and the publication of what is complete. */
export function createShoki(deps: ShokiDeps): Shoki {
  const waitingRoom = new WaitingRoom(deps);
  const live = new LiveCatalogue(deps.records, deps.log);
  return {
    routes(server) {
      titleRoutes(server, deps.records, live);
      watchRoutes(server, { ...deps, waitingRoom });
    },
    subscribe: (listener) => live.subscribe(listener),
    start() {
      const worker = deps.engine.workPublish((job) => publishTitle(deps, job), { concurrency: 1 });
      return {
        async stop() {
          waitingRoom.close();
          live.close();
          await worker.close();
        },
      };
    },
  };
}
