import { fastifySwagger } from "@fastify/swagger";
import { Problem } from "@gakuen/contracts";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from "fastify";
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { z } from "zod";
import { noSuchRoute, PROBLEM_TYPE, problemOf } from "./http-problems.ts";
import type { Log } from "./log.ts";

/** A Fastify server whose routes are typed and checked by zod schemas. */
export type HttpServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface HttpServerOptions {
  readonly log: Log;
  /** Name of the service, as it stands in its OpenAPI document, its health and its messages. */
  readonly service: string;
  readonly version: string;
}

/** Media that handlers take as a stream. */
const STREAMED_TYPES = ["video/mp4", "audio/mp4", "application/octet-stream"];

const pathOf = (request: FastifyRequest): string => request.url.split("?", 1)[0] ?? "";

/** How long a client that was answered early may take to notice. */
const LINGER_MS = 2000;

/**
 * An answer may come before the request's end, when a PUT is refused in the middle. What the handler left unread is
 * then never read, and the connection would hang until its keep-alive ends. Closing it at once could destroy the
 * answer on its way (RFC 9112 §9.6), so it is closed a little later, unless the request did come to its end.
 */
function closeAfterEarlyAnswers(server: HttpServer): void {
  server.addHook("onSend", (request, reply, _payload, done) => {
    const { socket } = reply.raw;
    if (!request.raw.complete && socket !== null) {
      const closing = !reply.raw.shouldKeepAlive;
      // Where the client asked for that, Node would close it with the answer.
      reply.raw.shouldKeepAlive = true;
      reply.raw.once("finish", () => {
        setTimeout(() => {
          if (closing || !request.raw.complete) socket.destroy();
        }, LINGER_MS).unref();
      });
    }
    done();
  });
}

/** Problems pass: no cache may keep them, and each says how to go on where HTTP has a field for it. */
function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503 && !reply.hasHeader("retry-after")) reply.header("retry-after", "1");
  // RFC 9110 §15.5.2: a 401 must say how to authenticate.
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  reply.removeHeader("content-length");
  return reply
    .code(problem.status)
    .header("cache-control", "no-store")
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problem));
}

/** OpenAPI: every documented route may answer with a problem. */
function documentProblems(server: HttpServer): void {
  const response = { description: "Problem (RFC 9457)", content: { [PROBLEM_TYPE]: { schema: Problem } } };
  server.addHook("onRoute", (route) => {
    if (route.schema === undefined) return;
    const own = (route.schema.response ?? {}) as Record<string, unknown>;
    route.schema = { ...route.schema, response: { "4xx": response, "5xx": response, ...own } };
  });
}

/**
 * An HTTP server as all services have it, not listening yet: schemas by zod, `GET /openapi.json` (OpenAPI 3.1),
 * `GET /healthz`, errors as problem documents (RFC 9457). Bodies of media are given to the handler as the stream they
 * are, without a limit; other bodies are bounded by Fastify's `bodyLimit`. Requests are logged at level debug.
 */
export function createHttpServer({ log, service, version }: HttpServerOptions): HttpServer {
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { problem, unexpected } = problemOf(error, `the log of ${service} tells what, see request ${request.id}`);
    const what = `${request.method} ${pathOf(request)} failed`;
    if (reply.raw.destroyed) request.log.debug({ err: error }, `${what}: the client went away`);
    else if (unexpected) request.log.error({ err: error }, what);
    else if (problem.status >= 500) request.log.warn({ err: error }, what);
    else request.log.debug({ code: problem.code, reason: problem.detail }, what);
    return sendProblem(reply, problem);
  };

  // Fastify's own, narrower type: a server's type would else name pino's.
  const loggerInstance: FastifyBaseLogger = log;
  const server: HttpServer = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    // A PUT lasts as long as its encoder works; who is silent is the handler's concern.
    requestTimeout: 0,
    frameworkErrors: (error, request, reply) => void fail(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler(fail);
  server.setNotFoundHandler((request, reply) => sendProblem(reply, noSuchRoute(request.method, pathOf(request))));
  // Plain text would be given to a handler as a string; nothing of ours takes any.
  server.removeContentTypeParser("text/plain");
  server.addContentTypeParser(STREAMED_TYPES, (_request, payload, done) => done(null, payload));
  server.addHook("onResponse", (request, reply, done) => {
    const milliseconds = Math.round(reply.elapsedTime);
    request.log.debug({ status: reply.statusCode, milliseconds }, `${request.method} ${pathOf(request)}`);
    done();
  });

  closeAfterEarlyAnswers(server);
  documentProblems(server);
  // Called and not registered: a registered plugin starts later and would miss the routes that are added until then.
  fastifySwagger(
    server,
    {
      openapi: { openapi: "3.1.0", info: { title: service, version } },
      transform: jsonSchemaTransform,
      transformObject: jsonSchemaTransformObject,
    },
    () => {},
  );
  server.get("/openapi.json", { schema: { hide: true } }, () => server.swagger());
  server.get(
    "/healthz",
    {
      schema: {
        summary: "Whether the service is up",
        response: { 200: z.object({ status: z.literal("ok"), service: z.string(), version: z.string() }) },
      },
    },
    () => ({ status: "ok" as const, service, version }),
  );
  return server;
}
