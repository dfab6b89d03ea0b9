import { AddedTitle, AddTitle, ChangeTitle, TitleId, titleLinks } from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { z } from "zod";
import type { Kaichou } from "./kaichou.ts";

const params = z.object({ id: TitleId });

/** The writing half of `/api/titles`; Shoki answers the reading half. */
export function titleControlRoutes(server: HttpServer, kaichou: Kaichou): void {
  server.post(
    "/api/titles",
    {
      schema: {
        summary: "Take in a source",
        description: "Answers at once; inspection, planning and encoding follow. Watch the title's state.",
        body: AddTitle,
        response: { 201: AddedTitle },
      },
    },
    async (request, reply) => {
      const id = await kaichou.add(request.body);
      return reply
        .code(201)
        .header("location", `/api/titles/${id}`)
        .send({ id, links: titleLinks(id) });
    },
  );
  server.patch(
    "/api/titles/:id",
    {
      schema: {
        summary: "Change a title's priority",
        description: "Holds for everything of the title that waits; what is being encoded goes on.",
        params,
        body: ChangeTitle,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await kaichou.change(request.params.id, request.body);
      return reply.code(204).send(null);
    },
  );
  server.post(
    "/api/titles/:id/pause",
    { schema: { summary: "Stop encoding a title until it is resumed", params, response: { 204: z.null() } } },
    async (request, reply) => {
      await kaichou.pause(request.params.id);
      return reply.code(204).send(null);
    },
  );
  server.post(
    "/api/titles/:id/resume",
    { schema: { summary: "Go on with a paused title", params, response: { 204: z.null() } } },
    async (request, reply) => {
      await kaichou.resume(request.params.id);
      return reply.code(204).send(null);
    },
  );
  server.post(
    "/api/titles/:id/cancel",
    { schema: { summary: "Stop encoding a title", params, response: { 204: z.null() } } },
    async (request, reply) => {
      await kaichou.cancel(request.params.id);
      return reply.code(204).send(null);
    },
  );
  server.post(
    "/api/titles/:id/retry",
    {
      schema: {
        summary: "Start a failed or cancelled title again, or mend one of which the store lost something",
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await kaichou.retry(request.params.id);
      return reply.code(204).send(null);
    },
  );
  server.delete(
    "/api/titles/:id",
    { schema: { summary: "Remove a title and all its media", params, response: { 204: z.null() } } },
    async (request, reply) => {
      await kaichou.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
}
