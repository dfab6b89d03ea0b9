import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseRange } from "@gakuen/platform";

const PART_BYTES = 16 * 1024;

/** Serves one file by range at a limited pace, so that whoever reads it has work in hand for a while. */
export class SlowWeb implements AsyncDisposable {
  readonly url: string;
  /** Nothing is sent while it holds. */
  held = false;
  bytesPerSecond: number;
  /** Answers 206 that were begun. */
  ranges = 0;
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>, url: string, bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#server = server;
    this.url = url;
  }

  static async serve(path: string, bytesPerSecond: number): Promise<SlowWeb> {
    const { size } = await stat(path);
    const server = createServer((request, response) => {
      const range = parseRange(request.headers.range, size);
      response.setHeader("accept-ranges", "bytes");
      if (range === "unsatisfiable") {
        response.writeHead(416).end();
        return;
      }
      const { start, end } = range ?? { start: 0, end: size };
      response.setHeader("content-length", end - start);
      if (range) {
        web.ranges += 1;
        response.writeHead(206, { "content-range": `bytes ${start}-${end - 1}/${size}` });
      }
      const parts = createReadStream(path, { start, end: end - 1, highWaterMark: PART_BYTES });
      // A reader that has enough, or was killed, closes the connection.
      pipeline(Readable.from(web.#paced(parts), { highWaterMark: 1 }), response).catch(() => undefined);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const web = new SlowWeb(server, `http://127.0.0.1:${port}/${basename(path)}`, bytesPerSecond);
    return web;
  }

  async *#paced(parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const part of parts) {
      while (this.held) await delay(20);
      yield part;
      await delay((part.length / this.bytesPerSecond) * 1000);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.held = false;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
