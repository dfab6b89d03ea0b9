import { MASTER_PLAYLIST_NAME, MPD_NAME, PlanId, TitleId } from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { getTitle } from "@gakuen/records";
import { z } from "zod";
import { matches, serveObject } from "./serve-object.ts";
import { playerFile, watchPage } from "./watch-page.ts";
import { currentPlan, findManifest, findSegment, type WatchParts } from "./watch-title.ts";

const planned = z.object({ title: TitleId, plan: PlanId });

/** `/watch/…`: the page, the manifests and the segments. Open to every origin: players live on other people's sites. */
export function watchRoutes(server: HttpServer, parts: WatchParts): void {
  server.register(async (scope: HttpServer) => {
    scope.addHook("onRequest", async (_request, reply) => {
      reply
        .header("access-control-allow-origin", "*")
        .header("access-control-expose-headers", "content-length, content-range, etag, retry-after");
    });
    // An error is of this moment; none may stay in a cache.
    scope.addHook("onError", async (_request, reply, error) => {
      reply.header("cache-control", "no-store");
      if ("code" in error && error.code === "segment.not-ready") reply.header("retry-after", "1");
    });
    scope.options("/watch/*", { schema: { hide: true } }, async (_request, reply) =>
      reply
        .header("access-control-allow-methods", "GET, HEAD, OPTIONS")
        .header("access-control-allow-headers", "range, if-none-match, if-range, cache-control")
        .header("access-control-max-age", "86400")
        .code(204)
        .send(),
    );

    scope.get(
      "/watch/-/:file",
      { schema: { hide: true, params: z.object({ file: z.string() }) } },
      async (request, reply) => {
        const player = await playerFile(request.params.file);
        return reply
          .type("text/javascript; charset=utf-8")
          .header("cache-control", "public, max-age=3600")
          .send(player);
      },
    );
    scope.get(
      "/watch/:title",
      { schema: { summary: "A page that plays the title", params: z.object({ title: TitleId }) } },
      async (request, reply) => {
        const row = await getTitle(parts.records, request.params.title);
        const shown = row?.state === "removing" ? undefined : row;
        return reply
          .code(shown ? 200 : 404)
          .type("text/html; charset=utf-8")
          .header("cache-control", "no-cache")
          .send(watchPage(shown));
      },
    );
    scope.get(
      "/watch/:title/:name",
      {
        schema: {
          summary: "The manifest of the title's current plan",
          params: z.object({ title: TitleId, name: z.enum([MPD_NAME, MASTER_PLAYLIST_NAME]) }),
        },
      },
      async (request, reply) => {
        const { title, name } = request.params;
        const plan = await currentPlan(parts, title, request.signal);
        return reply.header("cache-control", "no-store").redirect(`/watch/${title}/${plan}/${name}`, 302);
      },
    );
    scope.get(
      "/watch/:title/:plan/:name",
      { schema: { summary: "A manifest or media playlist", params: planned.extend({ name: z.string() }) } },
      async (request, reply) => {
        const { title, plan, name } = request.params;
        const manifest = await findManifest(parts, title, plan, name);
        if ("key" in manifest) return serveObject(parts.store, manifest, request, reply);
        reply.header("etag", manifest.etag).header("cache-control", "no-cache");
        if (matches(request.headers["if-none-match"], manifest.etag)) return reply.code(304).send();
        return reply.type(manifest.type).send(manifest.text);
      },
    );
    scope.get(
      "/watch/:title/:plan/:track/:file",
      {
        schema: {
          summary: "An init segment (init.mp4) or a media segment (N.m4s)",
          description: "A segment that is still to be encoded is waited for; 503 with Retry-After after 9 s.",
          params: planned.extend({ track: z.string(), file: z.string() }),
        },
      },
      async (request, reply) => {
        const { title, plan, track, file } = request.params;
        const object = await findSegment(parts, { title, planId: plan, track, file }, request.signal);
        return serveObject(parts.store, object, request, reply);
      },
    );
  });
}
