import { fromProblem, PipelineError } from "@gakuen/contracts";
import type { z } from "zod";

export interface JsonRequest<T> {
  /** GET without a body, POST with one, unless said otherwise. */
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Bearer token (RFC 6750). */
  readonly token?: string;
  /** What the answer must be; an answer without content is undefined to it. */
  readonly schema: z.ZodType<T>;
  readonly signal?: AbortSignal;
}

/** A URL as it may stand in a message: the query may hold tokens. */
function shown(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

function connectionFault(error: unknown): string {
  // fetch says "fetch failed" and hides the reason in the cause; of several addresses it is an AggregateError.
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) {
    const code = "code" in cause ? String(cause.code) : "";
    return cause.message === "" ? code : cause.message;
  }
  return error instanceof Error ? error.message : String(error);
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Sends a request to a service and gives its JSON answer. Errors: what the service's problem document says;
 * `service.unreachable` when there is no connection, no problem document with an error status, or an answer that
 * `schema` refuses; the signal's reason.
 */
export async function requestJson<T>(url: string | URL, request: JsonRequest<T>): Promise<T> {
  const { method = request.body === undefined ? "GET" : "POST", body, token, schema, signal } = request;
  const headers: Record<string, string> = { accept: "application/json, application/problem+json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token !== undefined) headers.authorization = `Bearer ${token}`;

  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    throw new PipelineError(
      "service.unreachable",
      `Could not reach ${shown(url)} (${connectionFault(error)}); check that the service runs and that its URL is right`,
      { cause: error },
    );
  }
  const answer = parseJson(text);
  if (!response.ok) {
    throw fromProblem(answer, `${method} ${shown(url)} answered ${response.status} ${response.statusText}`.trimEnd());
  }
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new PipelineError(
    "service.unreachable",
    `${method} ${shown(url)} answered something unexpected; check that it is Gakuen and of the same version`,
    { cause: parsed.error },
  );
}
