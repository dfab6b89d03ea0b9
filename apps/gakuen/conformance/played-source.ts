import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { parseRange } from "@gakuen/platform";

/** How a source is served: as it is, not at all, or its first bytes and then nothing more. */
export type SourceManner = "whole" | "missing" | "held";

export interface HeardRead {
  readonly manner: SourceManner;
  readonly range: string | undefined;
  open: boolean;
}

/** The web server that a source lies on. */
export interface PlayedSource {
  readonly reads: readonly HeardRead[];
  /** Answers a request for a source; false when it is for something else. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

export const sourcePath = (manner: SourceManner): string => `/conformance/${manner}.mp4`;
export const isHeldOpen = ({ manner, open }: HeardRead): boolean => manner === "held" && open;

const HELD_BYTES = 100_000;

export function playSource(film: string): PlayedSource {
  const reads: HeardRead[] = [];
  return {
    reads,
    async serve(request, response) {
      const manner = /^\/conformance\/(whole|missing|held)\.mp4$/.exec(request.url ?? "")?.[1] as
        | SourceManner
        | undefined;
      if (!manner) return false;
      const read: HeardRead = { manner, range: request.headers.range, open: true };
      reads.push(read);
      response.once("close", () => (read.open = false));
      const { size } = await stat(film);
      const range = parseRange(request.headers.range, size);
      if (manner === "missing") response.writeHead(404).end();
      else if (range === "unsatisfiable") response.writeHead(416, { "content-range": `bytes */${size}` }).end();
      else {
        const { start, end } = range ?? { start: 0, end: size };
        const headers = { "accept-ranges": "bytes", "content-type": "video/mp4", "content-length": end - start };
        if (range) response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${end - 1}/${size}` });
        else response.writeHead(200, headers);
        if (request.method === "HEAD") response.end();
        else {
          const last = manner === "held" ? Math.min(end, start + HELD_BYTES) : end;
          createReadStream(film, { start, end: last - 1 }).pipe(response, { end: last === end });
        }
      }
      return true;
    },
  };
}
