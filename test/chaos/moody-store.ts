import { once } from "node:events";
import { type IncomingMessage, createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What a store may do instead of answering. */
export type Mood = "well" | "errors" | "slow" | "full";

/**
 * Stands before an S3 server and is at times as bad as a store can be. Errors hit `share` of the requests; a full store
 * refuses every write.
 */
export class MoodyStore implements AsyncDisposable {
  mood: Mood = "well";
  share = 0.5;
  /** Requests that were not answered as the store would have. */
  spoilt = 0;
  readonly #upstream: URL;
  readonly #server = createServer((incoming, answer) => void this.#serve(incoming, answer));

  constructor(upstream: string) {
    this.#upstream = new URL(upstream);
  }

  async listen(host: string): Promise<string> {
    this.#server.listen(0, host);
    await once(this.#server, "listening");
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    incoming.on("error", () => answer.destroy());
    if (this.mood === "slow") {
      this.spoilt += 1;
      await delay(Math.random() * 1500);
    }
    if (this.mood === "errors" && Math.random() < this.share) {
      const status = Math.random() < 0.5 ? 500 : 503;
      return this.#refuse(incoming, answer, status, status === 500 ? "InternalError" : "SlowDown");
    }
    if (this.mood === "full" && (incoming.method === "PUT" || incoming.method === "POST"))
      return this.#refuse(incoming, answer, 507, "InsufficientCapacity");
    const { hostname, port } = this.#upstream;
    const { method, url: path, headers } = incoming;
    // The Host header stays the client's: it is part of what was signed.
    const onward = request({ hostname, port, method, path, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.on("error", () => answer.destroy());
      reply.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    incoming.pipe(onward);
  }

  #refuse(incoming: IncomingMessage, answer: ServerResponse, status: number, code: string): void {
    this.spoilt += 1;
    incoming.resume();
    answer.writeHead(status, { "content-type": "application/xml" });
    answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>a bad day</Message></Error>`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
