import httpProxy from "@fastify/http-proxy";
import type { HttpServer } from "@gakuen/platform";

export interface Upstreams {
  readonly kaichouUrl: string;
  readonly shokiUrl: string;
}

/**
 * The front door where the other services run elsewhere: what changes titles goes to Kaichou, what reads them and all
 * media go to Shoki.
 */
export function frontDoorRoutes(server: HttpServer, { kaichouUrl, shokiUrl }: Upstreams): void {
  // The services log their requests themselves.
  const quiet = { logLevel: "warn" } as const;
  const common = { ...quiet, httpMethods: ["GET", "HEAD", "OPTIONS"] };
  server.register(httpProxy, { ...common, upstream: shokiUrl, prefix: "/api", rewritePrefix: "/api" });
  server.register(httpProxy, { ...common, upstream: shokiUrl, prefix: "/watch", rewritePrefix: "/watch" });
  server.register(httpProxy, {
    ...quiet,
    upstream: kaichouUrl,
    prefix: "/api",
    rewritePrefix: "/api",
    httpMethods: ["POST", "PUT", "PATCH", "DELETE"],
  });
}
