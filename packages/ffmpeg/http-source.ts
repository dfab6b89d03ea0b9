import { fromProblem, PipelineError } from "@gakuen/contracts";

/** The first answer brings this much along: a file's head is always wanted, so its first request is not wasted. */
const HEAD_BYTES = 64 * 1024;
const ANSWER_TIMEOUT_MS = 20_000;

interface RangeAnswer {
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** A URL as it may be told and logged: the query may hold a token or a signature. */
export function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/**
 * A source behind http(s), read by range requests (RFC 9110 §14).
 * Errors: `source.not-found`, `source.permission`, `source.unreachable`, `source.no-ranges`, `source.changed`.
 */
export async function openHttpSource(
  url: string,
  signal: AbortSignal,
): Promise<{ size: number; read(offset: number, length: number): Promise<Uint8Array> }> {
  const head = await fetchRange(url, 0, HEAD_BYTES, signal);
  const size = head.total;
  return {
    size,
    async read(offset, length) {
      const end = Math.min(offset + length, size);
      if (end <= offset) return new Uint8Array(0);
      if (end <= head.bytes.length) return head.bytes.subarray(offset, end);
      const answer = await fetchRange(url, offset, end - offset, signal);
      if (answer.total !== size)
        throw new PipelineError(
          "source.changed",
          `${withoutQuery(url)} changed while it was read: ${size} bytes became ${answer.total}`,
        );
      return answer.bytes;
    },
  };
}

async function fetchRange(url: string, offset: number, length: number, signal: AbortSignal): Promise<RangeAnswer> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  const name = withoutQuery(url);
  try {
    const response = await fetch(url, {
      headers: { range: `bytes=${offset}-${offset + length - 1}`, "accept-encoding": "identity" },
      signal: limited,
    });
    if (!response.ok) await demandNoProblem(response);
    const total = totalOf(response, name, new URL(url).host);
    if (total === 0) {
      await response.body?.cancel();
      return { total, bytes: new Uint8Array(0) };
    }
    const bytes = await bodyOf(response, length);
    const wanted = Math.min(length, total - offset);
    if (bytes.length < wanted) throw new Error(`the answer ended after ${bytes.length} of ${wanted} bytes`);
    return { total, bytes };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PipelineError) throw error;
    const cause = (error as { cause?: unknown }).cause ?? error;
    const reason = limited.aborted ? "no answer in time" : cause instanceof Error ? cause.message : String(cause);
    throw new PipelineError(
      "source.unreachable",
      `${name} cannot be read: ${reason}; check the address and the server`,
      {
        cause: error,
      },
    );
  }
}

/** Another Kaichou, at whose machine a source lies, says itself what is wrong with it. */
async function demandNoProblem(response: Response): Promise<void> {
  if (!response.headers.get("content-type")?.startsWith("application/problem+json")) return;
  const told = fromProblem(await response.json().catch(() => undefined), "");
  if (/^(source|store)\./.test(told.code)) throw told;
}

/** The size of the whole content, from an answer that must be a part of it. */
function totalOf(response: Response, name: string, host: string): number {
  const { status } = response;
  if (status === 206) {
    const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
    if (total !== undefined) return Number(total);
  }
  // Nothing can be asked of an empty file: servers answer 416, or 200 with no body.
  if (status === 416 || (status === 200 && response.headers.get("content-length") === "0")) return 0;
  void response.body?.cancel();
  if (status === 404 || status === 410)
    throw new PipelineError("source.not-found", `${host} has nothing at ${name} (${status})`);
  if (status === 401 || status === 403)
    throw new PipelineError("source.permission", `${host} does not let us read ${name} (${status})`);
  if (status < 300)
    throw new PipelineError(
      "source.no-ranges",
      `the server ${host} does not answer range requests; download the file and add it from disk, ` +
        `or serve it from a server that does`,
    );
  throw new PipelineError("source.unreachable", `${host} answered ${status} for ${name}`);
}

/** At most `limit` bytes: a server may send more than it was asked for. */
async function bodyOf(response: Response, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length >= limit) break;
  }
  return Buffer.concat(parts).subarray(0, limit);
}
