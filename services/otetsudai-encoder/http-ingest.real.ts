import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { EncodeJob, Ingest, IngestTarget } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import { createHttpServer, type HttpServer, listen } from "@gakuen/platform";
import { chunkReceipts } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingestRoutes } from "../kaikeishi-uploader/index.ts";
import {
  chunkJob,
  encodedParts,
  never,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  sent,
  type TestParts,
  titleInEncoding,
  trackId,
} from "../kaikeishi-uploader/testing.ts";
import { createHttpIngest } from "./http-ingest.ts";

let parts: TestParts;
let film: PlannedFilm;
let server: HttpServer;
let url: string;
let ingest: Ingest;
let track: readonly CmafPart[];

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  server = createHttpServer({ log: parts.log, service: "kaikeishi", version: "0" });
  ingestRoutes(server, parts.kaikeishi);
  url = await listen(server, { host: "127.0.0.1", port: 0 });
  ingest = createHttpIngest(url);
  const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
  track = (await encodedParts(job)).get("v144") ?? [];
});
afterAll(async () => {
  server.server.closeAllConnections();
  await server.close();
  await parts[Symbol.asyncDispose]();
});

interface Claimed {
  readonly job: EncodeJob;
  readonly target: IngestTarget;
  readonly token: string;
}

async function claimed(job?: EncodeJob): Promise<Claimed> {
  const own = job ?? (await chunkJob(parts, film, await titleInEncoding(parts, film), "v1"));
  const claim = await ingest.claim(own.ref, own.grant, never());
  if (claim.state !== "open") throw new Error("the chunk is complete");
  return { job: own, target: { ...own.ref, track: trackId("v144") }, token: claim.token };
}

/** The first parts of a track, then nothing for ever, as of an encoder that is slow; tells when it was ended. */
function endless(first: readonly CmafPart[]): { body: AsyncIterable<Uint8Array>; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const body = {
    [Symbol.asyncIterator]() {
      const pieces = sent(first);
      return {
        async next(): Promise<IteratorResult<Uint8Array>> {
          const piece = await pieces.next();
          return piece.done ? new Promise<never>(() => undefined) : piece;
        },
        async return(): Promise<IteratorResult<Uint8Array>> {
          ended.resolve();
          return { done: true, value: undefined };
        },
      };
    },
  };
  return { body, ended: ended.promise };
}

async function untilStored({ job }: Claimed, count: number): Promise<void> {
  while ((await chunkReceipts(parts.records, job.ref)).length < count) await delay(10);
}

describe("the uploader over HTTP", () => {
  test("stores and acknowledges a track as it does in one process", async () => {
    const first = await claimed();
    expect(await ingest.put(first.target, first.token, sent(track), never())).toEqual({ stored: 11, matched: 0 });
    const again = await claimed(first.job);
    expect(await ingest.put(again.target, again.token, sent(track), never())).toEqual({ stored: 0, matched: 11 });
    expect(await chunkReceipts(parts.records, first.job.ref)).toHaveLength(12);
  });

  test("tells a complete chunk, a wrong grant and a wrong token by the same answers", async () => {
    const { job, target } = await claimed(await chunkJob(parts, film, await titleInEncoding(parts, film), "a1-0"));
    await expect(ingest.claim(job.ref, "wrong", never())).rejects.toMatchObject({ code: "ingest.unauthorized" });
    await expect(ingest.put(target, "wrong", sent(track), never())).rejects.toMatchObject({
      code: "ingest.unauthorized",
    });
    const sound = { ...target, track: trackId("a1") };
    const { token } = await claimed(job);
    await ingest.put(sound, token, sent((await encodedParts(job)).get("a1") ?? []), never());
    expect(await ingest.claim(job.ref, job.grant, never())).toEqual({ state: "complete" });
  });

  test("names the difference of a track that is not what was planned", async () => {
    const { target, token } = await claimed();
    await expect(ingest.put(target, token, sent(track.slice(0, -1)), never())).rejects.toMatchObject({
      code: "ingest.mismatch",
      message: expect.stringContaining("ended after 10 of 11 segments"),
    });
  });

  test("tells a lost claim while the body is still being made, and the body is ended", async () => {
    const early = await claimed();
    const { body, ended } = endless(track.slice(0, 5));
    await claimed(early.job);
    await expect(ingest.put(early.target, early.token, body, never())).rejects.toMatchObject({
      code: "ingest.claim-lost",
    });
    await ended;
    expect(await chunkReceipts(parts.records, early.job.ref)).toEqual([]);
  });

  test("tells a refusal also when the encoder gives nothing any more, not even when it is told to end", async () => {
    const early = await claimed();
    await claimed(early.job);
    const body = (async function* () {
      yield* sent(track.slice(0, 3));
      await new Promise<never>(() => undefined);
    })();
    await expect(ingest.put(early.target, early.token, body, never())).rejects.toMatchObject({
      code: "ingest.claim-lost",
    });
  });

  test("is left at once when the work is called off", async () => {
    const chunk = await claimed();
    const { body, ended } = endless(track.slice(0, 3));
    const calledOff = new AbortController();
    const putting = ingest.put(chunk.target, chunk.token, body, calledOff.signal);
    const refused = expect(putting).rejects.toThrow();
    await untilStored(chunk, 3);
    calledOff.abort();
    await refused;
    await ended;
  });

  test("passes on what the encoder says when it fails", async () => {
    const { target, token } = await claimed();
    const failure = new Error("the encoder fell over");
    const body = (async function* () {
      yield* sent(track.slice(0, 3));
      throw failure;
    })();
    const error: unknown = await ingest.put(target, token, body, never()).catch((reason: unknown) => reason);
    expect(error === failure || (error instanceof Error && error.cause === failure)).toBe(true);
  });
});

describe("a service that is not well", () => {
  test("whose connections break in the middle is unreachable", async () => {
    const chunk = await claimed();
    const { body, ended } = endless(track.slice(0, 3));
    const refused = expect(ingest.put(chunk.target, chunk.token, body, never())).rejects.toMatchObject({
      code: "service.unreachable",
    });
    await untilStored(chunk, 3);
    server.server.closeAllConnections();
    await refused;
    await ended;
    // What was stored until then is matched by the next.
    const next = await claimed(chunk.job);
    expect(await ingest.put(next.target, next.token, sent(track), never())).toEqual({ stored: 9, matched: 2 });
  });

  test("that does not listen, or answers what is not ours, is unreachable", async () => {
    const { target, token } = await claimed();
    await using strange = await strangeServer();
    const closed = createHttpIngest("http://127.0.0.1:1");
    for (const broken of [closed, createHttpIngest(strange.url)])
      await expect(broken.put(target, token, sent(track), never())).rejects.toMatchObject({
        code: "service.unreachable",
      });
  });
});

/** A web server that knows nothing of Gakuen. */
async function strangeServer(): Promise<{ url: string } & AsyncDisposable> {
  const strange: Server = createServer((request, response) => {
    request.resume();
    response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
  });
  await new Promise<void>((resolve) => strange.listen(0, "127.0.0.1", resolve));
  const { port } = strange.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      strange.closeAllConnections();
      await new Promise((resolve) => strange.close(resolve));
    },
  };
}
