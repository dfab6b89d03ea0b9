import { AddedTitle, AddTitle, ChangeTitle, TitleId, titleLinks } from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { z } from "zod";
import type { Kaichou } from "./kaichou.ts";

const params = z.object({ id: TitleId });

/** What a title can be told to do, each at a path of its own. */
const orders = [
  ["pause", "Stop encoding a title until it is resumed"],
  ["resume", "Go on with a paused title"],
  ["cancel", "Stop encoding a title"],
  ["retry", "Start a failed or cancelled title again, or mend one of which the store lost something"],
] as const;

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
  for (const [verb, summary] of orders)
    server.post(
      `/api/titles/:id/${verb}`,
      { schema: { summary, params, response: { 204: z.null() } } },
      async (request, reply) => {
        await kaichou[verb](request.params.id);
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
