import { Readable } from "node:stream";
import { parseRange } from "@gakuen/platform";
import type { ObjectStore } from "@gakuen/storage";
import type { FastifyReply, FastifyRequest } from "fastify";

/** What is under a plan never changes once it is there. */
const FOREVER = "public, max-age=31536000, immutable";

export interface ServedObject {
  readonly key: string;
  readonly bytes: number;
  /** Strong validator with its quotes. */
  readonly etag: string;
  readonly type: string;
}

/** Answers with an object of the store: conditional requests (RFC 9110, 13) and single ranges (14). */
export async function serveObject(
  store: ObjectStore,
  object: ServedObject,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header("etag", object.etag).header("cache-control", FOREVER).header("accept-ranges", "bytes");
  if (matches(request.headers["if-none-match"], object.etag)) return reply.code(304).send();

  const condition = request.headers["if-range"];
  const wanted = condition === undefined || condition === object.etag ? request.headers.range : undefined;
  const range = parseRange(wanted, object.bytes);
  if (range === "unsatisfiable")
    return reply
      .code(416)
      .header("content-range", `bytes */${object.bytes}`)
      .header("cache-control", "no-store")
      .send();

  const { start, end } = range ?? { start: 0, end: object.bytes };
  reply.type(object.type).header("content-length", end - start);
  if (range) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${object.bytes}`);
  // Without a body Fastify would write a length of 0; an empty stream leaves the one above.
  if (request.method === "HEAD") return reply.send(Readable.from([]));
  const { body } = await store.get(object.key, range ? { range } : {});
  return reply.send(body);
}

/** If-None-Match: a list of entity tags, weak ones included, or `*` (RFC 9110, 13.1.2). */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}
