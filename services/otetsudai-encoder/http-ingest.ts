import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Claim, claimPath, fromProblem, type Ingest, IngestResult, ingestPath, PipelineError } from "@gakuen/contracts";
import { requestJson } from "@gakuen/platform";

/** The uploader on another machine. The same interface as in one process, carried over HTTP. */
export function createHttpIngest(baseUrl: string): Ingest {
  return {
    claim: (ref, grant, signal) =>
      requestJson(new URL(claimPath(ref), baseUrl), { method: "POST", token: grant, schema: Claim, signal }),
    put: (target, token, body, signal) => putStream(new URL(ingestPath(target), baseUrl), token, body, signal),
  };
}

/**
 * PUT with a body of unknown length. Not fetch: a refusal in the middle of the body must be read and told, and fetch
 * reports such a request only as a broken connection.
 */
async function putStream(
  url: URL,
  token: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<IngestResult> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = send(url, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "video/mp4" },
    signal,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
  });
  // An answer ends the sending: a refusal comes while most of the body is still to be made.
  const stopSending = new AbortController();
  answered.then(
    () => stopSending.abort(),
    () => undefined,
  );
  const sent = pipeline(Readable.from(body, { objectMode: false }), request, { signal: stopSending.signal, end: true });
  const failedToSend = sent.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => {
      if (stopSending.signal.aborted) return new Promise<never>(() => undefined);
      throw error;
    },
  );
  try {
    const response = await Promise.race([answered, failedToSend]);
    const answer: unknown = JSON.parse((await text(response)) || "null");
    if (response.statusCode === 201) return IngestResult.parse(answer);
    throw fromProblem(answer, `${url.host} answered ${response.statusCode} to ${url.pathname}`);
  } catch (error) {
    if (error instanceof PipelineError || signal.aborted) throw error;
    throw new PipelineError("service.unreachable", `Kaikeishi at ${url.host} broke off: ${String(error)}`, {
      cause: error,
    });
  } finally {
    // Not waited for: a body that waits for its encoder ends only when that is stopped, which follows from this answer.
    request.destroy();
  }
}

async function text(response: IncomingMessage): Promise<string> {
  let all = "";
  for await (const part of response.setEncoding("utf8")) all += part;
  return all;
}
