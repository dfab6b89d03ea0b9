import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { PipelineError, type TitleId, toPipelineError } from "@gakuen/contracts";
import { type HttpServer, parseRange, type Tokens } from "@gakuen/platform";
import { getTitle, type Records, sourceFacts } from "@gakuen/records";
import { z } from "zod";
import { demandUnchanged, type Located, locateSource, sourceName } from "./locate-source.ts";
import { objectOpener } from "./open-objects.ts";

/** ffmpeg begins to read there at once, and comes to us again for each further request. */
const PRESIGNED_SECONDS = 60 * 60;

export interface SourceRouteOptions {
  /** Base URL at which other Kaichous reach this very one. */
  readonly ownUrl?: string | undefined;
  /** Told that a title's source is not what was planned, or not there any more. */
  readonly lost?: ((title: TitleId, error: PipelineError) => Promise<void>) | undefined;
}

/**
 * `GET /sources/{title}?token=…` with Range: the bytes of a title's source, wherever it lies. A file of this machine is
 * sent; an object of a store is redirected to, by a URL that was signed just now; for a file of another Kaichou's machine
 * the redirection leads there.
 */
export function sourceRoutes(
  server: HttpServer,
  records: Records,
  tokens: Tokens,
  options: SourceRouteOptions = {},
): void {
  const openObjects = objectOpener();
  server.get(
    "/sources/:title",
    {
      schema: {
        summary: "A title's source, by range",
        description:
          "For encoders. 200 or 206 with the bytes, or 307 to where they are; each request is answered anew, so that " +
          "the address stays good as long as its token.",
        params: z.object({ title: z.string() }),
        querystring: z.object({
          token: z.string().default(""),
          from: z.string().optional().meta({ description: "the Kaichou that redirected here" }),
        }),
      },
    },
    async (request, reply) => {
      const { ownUrl, lost } = options;
      const claims = await tokens.verify("source", request.query.token);
      const row = claims["title"] === request.params.title && (await getTitle(records, request.params.title));
      const facts = row && (await sourceFacts(records, row.id));
      if (!row || !facts || (row.source.kind === "http" && facts.object === null))
        throw new PipelineError("title.not-found", `there is no source of ${request.params.title} here`);
      // Neither a redirection nor what it leads to may be kept: the next one may lead elsewhere.
      reply.header("cache-control", "no-store");
      try {
        const located = await locateSource({ openObjects, ownUrl }, row.source, facts);
        if (located.at === "elsewhere") {
          if (request.query.from !== undefined) throw unreachable(sourceName(row, facts), located.owner);
          return reply.redirect(`${located.owner}${request.url}&from=${encodeURIComponent(ownUrl ?? "")}`, 307);
        }
        if (located.at === "web") return reply.redirect(located.url, 307);
        demandUnchanged(sourceName(row, facts), facts, located.version);
        const { status, headers, body } = await answerOf(located, request);
        return await reply.code(status).headers(headers).send(body);
      } catch (error) {
        const why = toPipelineError(error);
        if (forGood.has(why.code) && lost && !row.published) await lost(row.id, why);
        throw error;
      }
    },
  );
}

/** Trying again does not bring the planned source back. */
const forGood: ReadonlySet<string> = new Set(["source.changed", "source.not-found", "source.permission"]);

const unreachable = (name: string, owner: string): PipelineError =>
  new PipelineError(
    "source.unreachable",
    `${name} lies on the machine of the Kaichou at ${owner}, but who answers there is another; ` +
      "set GAKUEN_KAICHOU_OWN_URL of each Kaichou to an address that leads to it alone",
  );

/** What there is to say to a request for a source that can be read from here. */
async function answerOf(
  located: Located & { readonly at: "here" | "object" },
  request: { readonly method: string; readonly headers: { readonly range?: string | undefined } },
): Promise<{ status: number; headers: Record<string, string | number>; body?: Readable }> {
  const { bytes, version } = located;
  const headers = {
    etag: JSON.stringify(version),
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
  };
  // The bytes of a body that nobody gets would be read all the same.
  if (request.method === "HEAD")
    return { status: 200, headers: { ...headers, "content-length": bytes }, body: Readable.from([]) };
  const location =
    located.at === "object" && (await located.store.presignGet(located.key, { expiresSeconds: PRESIGNED_SECONDS }));
  if (location) return { status: 307, headers: { etag: headers.etag, location } };

  const range = parseRange(request.headers.range, bytes);
  if (range === "unsatisfiable") return { status: 416, headers: { ...headers, "content-range": `bytes */${bytes}` } };
  const { start, end } = range ?? { start: 0, end: bytes };
  const body = await bodyOf(located, start, end);
  const whole = { ...headers, "content-length": end - start };
  if (!range) return { status: 200, headers: whole, body };
  return { status: 206, headers: { ...whole, "content-range": `bytes ${start}-${end - 1}/${bytes}` }, body };
}

async function bodyOf(
  located: Located & { readonly at: "here" | "object" },
  start: number,
  end: number,
): Promise<Readable> {
  if (start === end) return Readable.from([]);
  if (located.at === "here") return createReadStream(located.path, { start, end: end - 1 });
  return (await located.store.get(located.key, { range: { start, end } })).body;
}
