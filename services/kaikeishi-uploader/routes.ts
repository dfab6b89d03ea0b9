import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import {
  ChunkRef,
  Claim,
  type Ingest,
  IngestResult,
  PlanId,
  PipelineError,
  TitleId,
  TrackId,
  ChunkId,
} from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { z } from "zod";

/** The ingest protocol over HTTP; see packages/contracts/ingest.ts. */
export function ingestRoutes(server: HttpServer, ingest: Ingest): void {
  server.post(
    "/ingest/:title/:plan/:chunk/claim",
    {
      schema: {
        summary: "Claim a chunk",
        description: "Bearer: the job's grant. Takes the chunk away from an earlier claimant.",
        params: ChunkRef,
        response: { 200: Claim },
      },
    },
    (request, reply) => ingest.claim(request.params, bearer(request.headers.authorization), whenGone(reply)),
  );
  server.put(
    "/ingest/:title/:plan/:track/:chunk",
    {
      schema: {
        summary: "Send one CMAF track of a claimed chunk while it is encoded",
        description: "Bearer: the claim's token. Body: init segment, then one moof + mdat per segment.",
        consumes: ["video/mp4", "audio/mp4"],
        params: z.object({ title: TitleId, plan: PlanId, track: TrackId, chunk: ChunkId }),
        response: { 201: IngestResult },
      },
    },
    async (request, reply) => {
      const token = bearer(request.headers.authorization);
      const result = await ingest.put(request.params, token, request.body as Readable, whenGone(reply));
      return reply.code(201).send(result);
    },
  );
}

/** Fires when the client has gone. Fastify's `request.signal` fires as well when a body was read to its end. */
function whenGone(reply: { readonly raw: ServerResponse }): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

function bearer(header: string | undefined): string {
  const match = /^Bearer (.+)$/i.exec(header ?? "");
  if (match?.[1]) return match[1];
  throw new PipelineError("ingest.unauthorized", "an Authorization header with a bearer token is needed");
}
