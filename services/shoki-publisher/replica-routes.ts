import { PlanId, TitleId } from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { type Records, titleReplicas } from "@gakuen/records";
import { z } from "zod";

const Copies = z
  .array(
    z.object({
      destination: z.string().meta({ description: "the second store" }),
      plan: PlanId,
      copiedAt: z.iso.datetime().nullable().meta({ description: "null until every object was copied" }),
      objects: z.number().int().nonnegative(),
      bytes: z.number().int().nonnegative(),
      error: z
        .object({ code: z.string(), message: z.string() })
        .nullable()
        .meta({ description: "why the last try failed; it is tried again" }),
    }),
  )
  .meta({ id: "Copies" });

/** `GET /api/titles/{id}/copies`: how the copies of a title in second stores stand. */
export function replicaRoutes(server: HttpServer, records: Records): void {
  server.get(
    "/api/titles/:id/copies",
    {
      schema: {
        summary: "The title's copies in second stores",
        params: z.object({ id: TitleId }),
        response: { 200: Copies },
      },
    },
    async (request) => {
      const copies = await titleReplicas(records, request.params.id);
      return copies.map(({ copiedAt, ...copy }) => ({ ...copy, copiedAt: copiedAt?.toISOString() ?? null }));
    },
  );
}
