import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { PipelineError, toProblem } from "@gakuen/contracts";
import { expect, test } from "vitest";
import { z } from "zod";
import { requestJson } from "./http-client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

async function serve(handler: Handler): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => void handler(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const schema = z.object({
  method: z.string(),
  type: z.string().optional(),
  authorization: z.string().optional(),
  body: z.string(),
});

const echo: Handler = async (request, response) => {
  const { authorization, "content-type": type } = request.headers;
  response.setHeader("content-type", "application/json");
  response.end(
    JSON.stringify({ method: request.method, type, authorization, body: (await buffer(request)).toString() }),
  );
};

test("a request without a body is a GET, one with a body a POST of JSON, and a token is a bearer token", async () => {
  await using server = await serve(echo);
  expect(await requestJson(server.url, { schema })).toEqual({ method: "GET", body: "" });
  expect(await requestJson(server.url, { schema, body: { a: [1] }, token: "t.t.t" })).toEqual({
    method: "POST",
    type: "application/json",
    authorization: "Bearer t.t.t",
    body: '{"a":[1]}',
  });
  expect(await requestJson(server.url, { schema, method: "DELETE" })).toMatchObject({ method: "DELETE" });
});

test("an answer without content is undefined", async () => {
  await using server = await serve((_request, response) => void response.writeHead(204).end());
  expect(await requestJson(server.url, { schema: z.undefined() })).toBeUndefined();
});

test("a problem document is thrown as the error that it tells of", async () => {
  const error = new PipelineError("title.wrong-state", "it is being removed");
  await using server = await serve((_request, response) => {
    response
      .writeHead(error.status, { "content-type": "application/problem+json" })
      .end(JSON.stringify(toProblem(error)));
  });
  const requesting = requestJson(server.url, { schema });
  await expect(requesting).rejects.toMatchObject({ code: "title.wrong-state", message: "it is being removed" });
});

test("an error without a problem document is a service that cannot be reached, with what was answered", async () => {
  await using server = await serve((_request, response) => void response.writeHead(502, "Bad Gateway").end("<html>"));
  const requesting = requestJson(`${server.url}/api/titles?token=hunter2`, { schema, body: {} });
  await expect(requesting).rejects.toMatchObject({
    code: "service.unreachable",
    message: `POST ${server.url}/api/titles answered 502 Bad Gateway`,
  });
});

test.each(["<html>", "{}", ""])("the answer %j, which the schema refuses, is not passed on", async (answer) => {
  await using server = await serve((_request, response) => void response.end(answer));
  const requesting = requestJson(server.url, { schema });
  await expect(requesting).rejects.toMatchObject({ code: "service.unreachable", retry: true });
  await expect(requesting).rejects.toThrow(/something unexpected/);
});

test("a service that is not there is told with its URL, the reason and what to check", async () => {
  const server = await serve(echo);
  const { url } = server;
  await server[Symbol.asyncDispose]();
  const requesting = requestJson(`${url}/api/titles?token=hunter2`, { schema });
  await expect(requesting).rejects.toMatchObject({ code: "service.unreachable", retry: true });
  await expect(requesting).rejects.toThrow(
    new RegExp(`${url}/api/titles \\(.*ECONNREFUSED.*check that the service runs`),
  );
  await expect(requesting).rejects.not.toThrow("hunter2");
});

test("an answer that breaks off is a service that cannot be reached", async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, { "content-length": "100" }).write('{"method"');
    setImmediate(() => response.destroy());
  });
  await expect(requestJson(server.url, { schema })).rejects.toMatchObject({ code: "service.unreachable" });
});

test("an aborted request rejects with the reason of the abort", async () => {
  const controller = new AbortController();
  const reason = new Error("the job was cancelled");
  await using server = await serve(() => controller.abort(reason));
  await expect(requestJson(server.url, { schema, signal: controller.signal })).rejects.toBe(reason);
});
