import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { pipeline } from "node:stream/promises";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".m4s": "video/iso.segment",
  ".mp4": "video/mp4",
  ".mpd": "application/dash+xml",
};

export interface StaticServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly origin: string;
}

/**
 * Serves a folder over HTTP on a free port of 127.0.0.1, and under `aliases` (path → file) single files from elsewhere.
 * With `cors` pages of other origins may read it, as a stream's server must allow.
 */
export async function serveFolder(
  root: string,
  { aliases = {}, cors = false }: { readonly aliases?: Readonly<Record<string, string>>; readonly cors?: boolean } = {},
): Promise<StaticServer> {
  const fileOf = (path: string): string | undefined => {
    const file = aliases[path] ?? join(root, normalize(path === "/" ? "/index.html" : path));
    return path in aliases || file.startsWith(root + sep) ? file : undefined;
  };
  const server = createServer(async (request, response) => {
    const file = fileOf(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    if (cors) response.setHeader("Access-Control-Allow-Origin", "*");
    const found = file === undefined ? undefined : await stat(file).catch(() => undefined);
    if (file === undefined || !found?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
      "Content-Length": found.size,
    });
    // A player that seeks away closes the connection; that is no error of the server.
    await pipeline(createReadStream(file), response).catch(() => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
