import type { HttpServer } from "@gakuen/platform";
import { dashboardPage } from "./dashboard-page.ts";

/** The dashboard. */
export function dashboardRoutes(server: HttpServer): void {
  server.get("/", { schema: { hide: true } }, async (_request, reply) =>
    reply.type("text/html; charset=utf-8").header("cache-control", "no-cache").send(dashboardPage),
  );
}
