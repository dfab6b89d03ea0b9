import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { buffer } from "node:stream/consumers";
import { type ErrorCode, errorKinds, Problem } from "@gakuen/contracts";
import type { z } from "zod";
import { demand, demandEqual } from "./report.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent with its length, a stream by chunked transfer coding. */
  readonly body?: string | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Sends a request and gives its answer as it came: no redirect is followed, no status is an error, and an answer in the
 * middle of the body ends the sending. Throws when there is no answer.
 */
export async function sendRequest(url: string | URL, sent: Sent = {}): Promise<Answer> {
  const target = new URL(url);
  const send = target.protocol === "https:" ? httpsRequest : httpRequest;
  const over = new AbortController();
  const time = AbortSignal.timeout(sent.timeoutMs ?? 20_000);
  const { method = "GET", headers = {}, body } = sent;
  const length = typeof body === "string" ? { "content-length": String(Buffer.byteLength(body)) } : {};
  const request = send(target, {
    method,
    headers: { ...length, ...headers },
    agent: false,
    signal: AbortSignal.any([time, over.signal, ...(sent.signal ? [sent.signal] : [])]),
  });
  try {
    return await new Promise<Answer>((resolve, reject) => {
      request.once("error", (error) => reject(new Error(`${method} ${target.pathname}: ${error.message}`)));
      request.once("response", (response: IncomingMessage) => {
        buffer(response).then(
          (all) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all }),
          reject,
        );
      });
      if (body === undefined || typeof body === "string") request.end(body);
      // What breaks the sending is told by the request's own error, or is the answer that came before the end.
      else pipeline(Readable.from(body, { objectMode: false }), request).catch(() => undefined);
    });
  } finally {
    over.abort();
  }
}

/** The answer's JSON as the schema has it; fails the check when it is not. */
export function readJson<T>(answer: Answer, schema: z.ZodType<T>, what: string): T {
  const parsed = schema.safeParse(jsonOf(answer));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${what} is not as its schema says: ${issue?.path.join(".") || "it"}: ${issue?.message}`);
}

function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** An answer that refuses: the code, its status, and the form of a problem document (G-3). */
export function demandProblem(answer: Answer, code: ErrorCode, status: number = errorKinds[code].status): Problem {
  const told = answer.body.toString("utf8").slice(0, 300);
  demand(answer.status === status, `${status} ${code} is demanded, ${answer.status} was answered: ${told}`);
  const type = answer.headers["content-type"] ?? "no content-type";
  demand(type.startsWith("application/problem+json"), `a problem document is demanded (G-3), ${type} was answered`);
  const problem = readJson(answer, Problem, "the problem document");
  demandEqual("its code", problem.code, code);
  demandEqual("its status (RFC 9457)", problem.status, status);
  demand(/no-store/.test(answer.headers["cache-control"] ?? ""), "a refusal may be kept in a cache (G-3: no-store)");
  if (status === 401) demand(answer.headers["www-authenticate"] !== undefined, "401 without WWW-Authenticate (G-3)");
  if (status === 503) demand(answer.headers["retry-after"] !== undefined, "503 without Retry-After (G-3)");
  return problem;
}

export function demandStatus(answer: Answer, status: number): void {
  demand(
    answer.status === status,
    `${status} is demanded, ${answer.status} was answered: ${answer.body.toString("utf8").slice(0, 300)}`,
  );
}
