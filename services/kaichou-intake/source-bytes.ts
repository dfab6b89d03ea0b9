import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { PipelineError, type SourceAddress, type TitleId } from "@gakuen/contracts";
import { type HttpServer, parseRange, type Tokens } from "@gakuen/platform";
import { getTitle, type Records } from "@gakuen/records";
import { z } from "zod";

const SOURCE_TOKEN_SECONDS = 30 * 24 * 60 * 60;

/** Encoders in the same process read local files in place. */
export const sourceInPlace = async (_title: TitleId, source: SourceAddress): Promise<SourceAddress> => source;

/** Encoders on other machines read a local file from us, by range, with a signed and expiring address. */
export function sourceFromKaichou(tokens: Tokens, baseUrl: string) {
  return async (title: TitleId, source: SourceAddress): Promise<SourceAddress> => {
    if (source.kind === "http") return source;
    const url = new URL(`/sources/${title}`, baseUrl);
    url.searchParams.set("token", await tokens.sign("source", { title }, SOURCE_TOKEN_SECONDS));
    return { kind: "http", url: url.href };
  };
}

/** `GET /sources/{title}?token=…` with Range: the bytes of a title's local source. */
export function sourceRoutes(server: HttpServer, records: Records, tokens: Tokens): void {
  server.get(
    "/sources/:title",
    {
      schema: {
        summary: "A title's local source, by range",
        params: z.object({ title: z.string() }),
        querystring: z.object({ token: z.string().default("") }),
      },
    },
    async (request, reply) => {
      const claims = await tokens.verify("source", request.query.token);
      const row = claims["title"] === request.params.title && (await getTitle(records, request.params.title));
      if (!row || row.source.kind !== "file")
        throw new PipelineError("title.not-found", `there is no local source of ${request.params.title}`);
      const { path } = row.source;
      const { size } = await stat(path).catch((error: unknown) => {
        throw new PipelineError("source.not-found", `${path} cannot be read any more`, { cause: error });
      });
      const range = parseRange(request.headers.range, size);
      reply.header("accept-ranges", "bytes").type("application/octet-stream");
      if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${size}`).send();
      // The bytes of a body that nobody gets would be read all the same.
      if (request.method === "HEAD") return reply.header("content-length", size).send(Readable.from([]));
      if (!range) return reply.header("content-length", size).send(createReadStream(path));
      return reply
        .code(206)
        .header("content-range", `bytes ${range.start}-${range.end - 1}/${size}`)
        .header("content-length", range.end - range.start)
        .send(createReadStream(path, { start: range.start, end: range.end - 1 }));
    },
  );
}
