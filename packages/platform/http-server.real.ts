import { createHash } from "node:crypto";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { json } from "node:stream/consumers";
import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { PipelineError, Problem } from "@gakuen/contracts";
import type { FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import { z } from "zod";
import { createHttpServer, type HttpServer } from "./http-server.ts";
import { listen } from "./listen.ts";
import { createLog } from "./log.ts";

interface Started extends AsyncDisposable {
  readonly url: string;
  readonly lines: Record<string, unknown>[];
}

async function start(addRoutes: (server: HttpServer) => void): Promise<Started> {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog({ level: "debug", format: "json", destination: { write } });
  const server = createHttpServer({ log, service: "shoki", version: "1.2.3" });
  addRoutes(server);
  const url = await listen(server, { host: "127.0.0.1", port: 0 });
  return { url, lines, [Symbol.asyncDispose]: () => server.close() };
}

async function problemIn(response: Response): Promise<Problem> {
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(response.headers.get("cache-control")).toBe("no-store");
  const problem = Problem.parse(await response.json());
  expect(problem.status).toBe(response.status);
  return problem;
}

const bodyOf = (request: { body: unknown }): AsyncIterable<Buffer> => request.body as AsyncIterable<Buffer>;

test("it says that it is up, and who it is", async () => {
  await using started = await start(() => {});
  expect(started.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const response = await fetch(`${started.url}/healthz`);
  expect(await response.json()).toEqual({ status: "ok", service: "shoki", version: "1.2.3" });
});

test("its OpenAPI document tells of every route, also of those in plugins, and of problems", async () => {
  await using started = await start((server) => {
    server.get(
      "/api/titles/:id",
      { schema: { params: z.object({ id: z.string() }), response: { 200: z.object({ name: z.string() }) } } },
      () => ({ name: "x" }),
    );
    server.register(async (inner) => {
      inner.post("/api/inner", { schema: { body: z.object({ source: z.string() }) } }, () => ({}));
    });
  });
  const document = await (await fetch(`${started.url}/openapi.json`)).json();
  expect(document).toMatchObject({
    openapi: "3.1.0",
    info: { title: "shoki", version: "1.2.3" },
    paths: {
      "/healthz": { get: {} },
      "/api/titles/{id}": {
        get: {
          parameters: [{ name: "id", in: "path", required: true }],
          responses: {
            200: { content: { "application/json": { schema: { properties: { name: { type: "string" } } } } } },
            "4XX": {
              content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
            },
            "5XX": {},
          },
        },
      },
      "/api/inner": {
        post: { requestBody: { content: { "application/json": { schema: { required: ["source"] } } } } },
      },
    },
    components: { schemas: { Problem: { properties: { code: { type: "string" } } } } },
  });
  expect(Object.keys((document as { paths: object }).paths)).not.toContain("/openapi.json");
});

test("a request that its schema refuses is told which fields and why", async () => {
  await using started = await start((server) => {
    const body = z.object({ source: z.string(), settings: z.object({ rungs: z.array(z.number()) }) });
    const querystring = z.object({ dry: z.enum(["yes", "no"]).optional() });
    server.post("/api/titles", { schema: { body, querystring } }, () => ({}));
  });
  const post = (query: string, body: unknown): Promise<Response> =>
    fetch(`${started.url}/api/titles${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const wrong = await problemIn(await post("", { source: 1, settings: { rungs: [360, "x"] } }));
  expect(wrong).toMatchObject({ code: "usage.invalid", status: 400, retry: false });
  expect(wrong.detail).toMatch(/^body\.source: .*string.*; body\.settings\.rungs\.1: .*number/);
  expect((await problemIn(await post("?dry=maybe", { source: "", settings: { rungs: [] } }))).detail).toMatch(
    /^querystring\.dry: /,
  );
  expect(await problemIn(await post("", "{"))).toMatchObject({ code: "usage.invalid", status: 400 });
  expect(await problemIn(await post("", `"${"x".repeat(2_000_000)}"`))).toMatchObject({
    code: "usage.invalid",
    status: 413,
  });
});

test("a path or a media type that is not known is a problem too", async () => {
  await using started = await start((server) => {
    server.post("/api/titles", () => ({}));
  });
  const missing = await problemIn(await fetch(`${started.url}/api/titels?token=hunter2`));
  expect(missing).toMatchObject({ status: 404, detail: "There is no GET /api/titels here" });
  for (const type of ["image/png", "text/plain"]) {
    const headers = { "content-type": type };
    const answer = await fetch(`${started.url}/api/titles`, { method: "POST", headers, body: "x" });
    expect((await problemIn(answer)).status).toBe(415);
  }
  expect((await problemIn(await fetch(`${started.url}/%zz`))).status).toBe(400);
});

test("errors of ours are told as they are, with the fields that HTTP has for them", async () => {
  await using started = await start((server) => {
    server.get("/claim", () => {
      throw new PipelineError("ingest.claim-lost", "a later attempt has the chunk");
    });
    server.get("/segment", async (_request, reply) => {
      reply.header("retry-after", "7");
      throw new PipelineError("segment.not-ready", "not yet");
    });
    server.get("/store", () => {
      throw new PipelineError("store.unavailable", "no answer");
    });
    server.get("/token", () => {
      throw new PipelineError("ingest.unauthorized", "it has expired");
    });
  });
  const claim = await problemIn(await fetch(`${started.url}/claim`));
  expect(claim).toMatchObject({
    code: "ingest.claim-lost",
    status: 409,
    retry: true,
    detail: "a later attempt has the chunk",
  });
  expect((await fetch(`${started.url}/segment`)).headers.get("retry-after")).toBe("7");
  expect((await fetch(`${started.url}/store`)).headers.get("retry-after")).toBe("1");
  expect((await fetch(`${started.url}/token`)).headers.get("www-authenticate")).toBe("Bearer");
});

test("an unexpected error is logged with its stack, and nothing of it is told", async () => {
  await using started = await start((server) => {
    server.get("/oops", () => {
      throw new Error("password=hunter2");
    });
    server.get(
      "/answer",
      { schema: { response: { 200: z.object({ name: z.string() }) } } },
      () => ({ name: 5 }) as never,
    );
  });
  const problem = await problemIn(await fetch(`${started.url}/oops?token=abc`));
  expect(problem).toMatchObject({ code: "internal", status: 500 });
  expect(JSON.stringify(problem)).not.toContain("hunter2");
  const logged = started.lines.find((line) => line.level === 50);
  expect(logged).toMatchObject({ msg: "GET /oops failed", err: { message: "password=hunter2" } });
  expect(JSON.stringify(logged)).toContain("http-server.real.ts");
  expect(problem.detail).toContain(String(logged?.reqId));
  expect((await problemIn(await fetch(`${started.url}/answer`))).code).toBe("internal");
});

test("requests are logged at level debug, without their query", async () => {
  await using started = await start(() => {});
  await (await fetch(`${started.url}/healthz?token=hunter2`)).text();
  // The line is written when the answer has left, which the client may see a moment earlier.
  while (!started.lines.some((line) => line.msg === "GET /healthz")) await sleep(5);
  expect(started.lines.find((line) => line.msg === "GET /healthz")).toMatchObject({ level: 20, status: 200 });
  expect(JSON.stringify(started.lines)).not.toContain("hunter2");
});

test.each(["video/mp4", "audio/mp4", "application/octet-stream"])(
  "a body of %s reaches the handler as a stream, whatever its length",
  async (type) => {
    await using started = await start((server) => {
      server.put("/ingest", async (request) => {
        const sum = createHash("sha256");
        let bytes = 0;
        for await (const part of bodyOf(request)) {
          bytes += part.length;
          sum.update(part);
        }
        return { bytes, sha256: sum.digest("hex") };
      });
    });
    const body = Buffer.alloc(5 * 1024 * 1024, "not JSON {");
    const response = await fetch(`${started.url}/ingest`, { method: "PUT", headers: { "content-type": type }, body });
    expect(await response.json()).toEqual({
      bytes: body.length,
      sha256: createHash("sha256").update(body).digest("hex"),
    });
  },
);

test("the handler has the first bytes of a PUT while the client is still making the next", async () => {
  const arrived = Promise.withResolvers<void>();
  await using started = await start((server) => {
    server.put("/ingest", async (request) => {
      let bytes = 0;
      for await (const part of bodyOf(request)) {
        arrived.resolve();
        bytes += part.length;
      }
      return { bytes };
    });
  });
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(100);
    await arrived.promise;
    yield Buffer.alloc(23);
  }
  const response = await fetch(`${started.url}/ingest`, {
    method: "PUT",
    headers: { "content-type": "video/mp4" },
    body: ReadableStream.from(parts()),
    duplex: "half",
  });
  expect(await response.json()).toEqual({ bytes: 123 });
});

test("a PUT that is refused in the middle gets its problem while the client is still sending", async () => {
  await using started = await start((server) => {
    server.put("/ingest", async (request) => {
      for await (const _part of bodyOf(request)) throw new PipelineError("ingest.claim-lost", "a later attempt has it");
      return {};
    });
  });
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield Buffer.alloc(16 * 1024);
      await sleep(5);
    }
  }
  const response = await fetch(`${started.url}/ingest`, {
    method: "PUT",
    headers: { "content-type": "video/mp4" },
    body: ReadableStream.from(endless()),
    duplex: "half",
  });
  expect(await problemIn(response)).toMatchObject({ code: "ingest.claim-lost", status: 409 });
});

test("a client that wants the connection closed is not cut off while it sends what is refused", async () => {
  await using started = await start((server) => {
    server.put("/ingest", async () => ({}));
  });
  // Without an agent it says "connection: close", as proxies do.
  const headers = { "content-type": "video/webm" };
  const client = httpRequest(`${started.url}/ingest`, { method: "PUT", headers, agent: false });
  const broken = once(client, "close");
  client.write(Buffer.alloc(16 * 1024));
  const [response] = (await once(client, "response")) as [IncomingMessage];
  for (let sent = 0; sent < 10; sent++) {
    client.write(Buffer.alloc(16 * 1024));
    expect(await Promise.race([broken, sleep(20, "not broken")])).toBe("not broken");
  }
  expect(response.statusCode).toBe(415);
  client.destroy();
});

test("the connection of a client that goes on sending after its answer is closed", { timeout: 30_000 }, async () => {
  await using started = await start((server) => {
    server.put("/ingest", async (request) => {
      for await (const _part of bodyOf(request)) throw new PipelineError("ingest.claim-lost", "a later attempt has it");
      return {};
    });
  });
  const client = httpRequest(`${started.url}/ingest`, { method: "PUT", headers: { "content-type": "video/mp4" } });
  client.on("error", () => {});
  const sending = setInterval(() => client.write(Buffer.alloc(16 * 1024)), 5);
  try {
    const [response] = (await once(client, "response")) as [IncomingMessage];
    const closed = new Promise((resolve) => response.socket.once("close", resolve));
    expect(await json(response)).toMatchObject({ code: "ingest.claim-lost" });
    await closed;
  } finally {
    clearInterval(sending);
    client.destroy();
  }
  expect(started.lines.find((line) => String(line.msg).startsWith("PUT /ingest failed"))).toMatchObject({
    msg: "PUT /ingest failed",
    code: "ingest.claim-lost",
  });
});

test("a client that goes away in the middle of a PUT is no error of ours", async () => {
  const begun = Promise.withResolvers<void>();
  await using started = await start((server) => {
    server.put("/ingest", async (request) => {
      for await (const _part of bodyOf(request)) begun.resolve();
      return {};
    });
  });
  const client = httpRequest(`${started.url}/ingest`, { method: "PUT", headers: { "content-type": "video/mp4" } });
  client.on("error", () => {});
  client.write("a beginning");
  await begun.promise;
  client.destroy();
  const told = () => started.lines.find((line) => String(line.msg).startsWith("PUT /ingest failed"));
  while (told() === undefined) await sleep(5);
  expect(told()).toMatchObject({ level: 20, msg: "PUT /ingest failed: the client went away" });
});

test("a port that is taken is told with the port and the setting to change", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const log = createLog({ level: "silent", format: "json" });
  const server = createHttpServer({ log, service: "shoki", version: "1" });
  try {
    const listening = listen(server, { host: "127.0.0.1", port });
    await expect(listening).rejects.toMatchObject({ code: "config.port-in-use" });
    await expect(listening).rejects.toThrow(new RegExp(`Port ${port} .*GAKUEN_PORT`));
  } finally {
    await server.close();
    other.close();
  }
});

test("an address that this machine does not have is told with the setting to change", async () => {
  const server = createHttpServer({ log: createLog({ level: "silent", format: "json" }), service: "s", version: "1" });
  // TEST-NET-3 (RFC 5737): nobody has it.
  await expect(listen(server, { host: "203.0.113.1", port: 0 })).rejects.toMatchObject({ code: "config.invalid" });
  await server.close();
});

test.each(["0.0.0.0", "::", "localhost"])("listening on %s, the URL that is given can be reached", async (host) => {
  const server = createHttpServer({ log: createLog({ level: "silent", format: "json" }), service: "s", version: "1" });
  // Plugins that want any Fastify get this one too.
  const anyFastify = server as unknown as FastifyInstance;
  const url = await listen(server, { host, port: 0 });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await anyFastify.close();
});
