import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import {
  type Claim,
  type ErrorCode,
  PipelineError,
  type SourceAddress,
  type TitleId,
  toProblem,
} from "@gakuen/contracts";
import { PROBLEM_TYPE } from "@gakuen/platform";
import { type HeardRead, playSource, type SourceManner, sourcePath } from "./played-source.ts";

/** A claim as it came. */
interface HeardClaim {
  readonly chunk: string;
  readonly authorization: string | undefined;
}

/** A track as it came. */
export interface HeardTrack {
  readonly chunk: string;
  readonly track: string;
  readonly headers: IncomingHttpHeaders;
  readonly begunAt: number;
  /** When the body ended or broke off; undefined while it comes. */
  endedAt: number | undefined;
  /** The body came to its end as HTTP has it. */
  whole: boolean;
  readonly pieces: Buffer[];
}

/** How the kit's Kaikeishi behaves towards one title, and what it heard of it. */
export interface Stage {
  readonly claims: HeardClaim[];
  readonly tracks: HeardTrack[];
  /** What the n-th claim of the title is answered, from 0. */
  answerClaim: (nth: number) => "open" | "complete" | ErrorCode;
  /** What the n-th track is answered after its first bytes; undefined: it is taken. */
  refuseTrack: (nth: number) => ErrorCode | undefined;
  /** How long the body of a track is left unread after its first bytes. */
  holdMs: number;
}

/** The kit in the place of Kaikeishi, and of whoever has the source. It believes nothing and keeps everything. */
export interface PlayedKaikeishi extends AsyncDisposable {
  stage(title: TitleId): Stage;
  readonly reads: readonly HeardRead[];
  source(manner: SourceManner): SourceAddress;
}

const LINGER_MS = 2000;

/** @param url where it listens @param film the path of the source's file */
export async function playKaikeishi(url: string, film: string): Promise<PlayedKaikeishi> {
  const stages = new Map<string, Stage>();
  const tokens = new Map<string, string>();
  const source = playSource(film);
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  const { hostname, port } = new URL(url);
  server.listen(Number(port || 80), hostname);
  await Promise.race([
    once(server, "listening"),
    once(server, "error").then(([error]) => Promise.reject(portTaken(url, error))),
  ]);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const claim = /^\/ingest\/([^/]+)\/([^/]+)\/([^/]+)\/claim$/.exec(path);
    const track = /^\/ingest\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path);
    if (path === "/healthz") answer(response, 200, { status: "ok" });
    else if (await source.serve(request, response)) return;
    else if (claim && request.method === "POST") hearClaim(request, response, claim[1] ?? "", claim[3] ?? "");
    else if (track && request.method === "PUT") await hearTrack(request, response, track);
    else refuse(response, "usage.invalid");
  }

  function hearClaim(request: IncomingMessage, response: ServerResponse, title: string, chunk: string): void {
    const stage = stages.get(title);
    if (!stage) return refuse(response, "ingest.title-gone");
    const wanted = stage.answerClaim(stage.claims.length);
    stage.claims.push({ chunk, authorization: request.headers.authorization });
    request.resume();
    if (wanted !== "open" && wanted !== "complete") return refuse(response, wanted);
    const token = randomUUID();
    tokens.set(token, `${title}/${chunk}`);
    const claim: Claim = wanted === "open" ? { state: wanted, attempt: stage.claims.length, token } : { state: wanted };
    return answer(response, 200, claim);
  }

  async function hearTrack(request: IncomingMessage, response: ServerResponse, path: RegExpExecArray): Promise<void> {
    const [, title = "", , track = "", chunk = ""] = path;
    const stage = stages.get(title);
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if (!stage || tokens.get(token) !== `${title}/${chunk}`) return refuse(response, "ingest.unauthorized");
    const refusal = stage.refuseTrack(stage.tracks.length);
    const heard: HeardTrack = {
      chunk,
      track,
      headers: request.headers,
      begunAt: Date.now(),
      endedAt: undefined,
      whole: false,
      pieces: [],
    };
    stage.tracks.push(heard);
    request.once("close", () => (heard.endedAt ??= Date.now()));
    try {
      for await (const piece of request.iterator({ destroyOnReturn: false })) {
        heard.pieces.push(piece as Buffer);
        if (heard.pieces.length > 1) continue;
        if (refusal) return refuseInTheMiddle(request, response, refusal);
        await new Promise((resolve) => setTimeout(resolve, stage.holdMs));
      }
      heard.whole = request.complete;
    } catch {
      // Broken off by the sender: what came is kept as it is.
    }
    heard.endedAt ??= Date.now();
    const stored = heard.pieces.length === 0 ? 0 : 1;
    if (heard.whole) answer(response, 201, { stored, matched: 0 });
    else response.destroy();
  }

  return {
    reads: source.reads,
    stage(title) {
      const stage: Stage = {
        claims: [],
        tracks: [],
        answerClaim: () => "open",
        refuseTrack: () => undefined,
        holdMs: 0,
      };
      stages.set(title, stage);
      return stage;
    },
    source: (manner) => ({ kind: "http", url: new URL(sourcePath(manner), url).href }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: ErrorCode, status?: number): void {
  const problem = toProblem(new PipelineError(code, "the conformance kit refuses this on purpose"));
  const told = { ...problem, status: status ?? problem.status };
  const headers = { "content-type": PROBLEM_TYPE, "cache-control": "no-store", "retry-after": "1" };
  response.writeHead(told.status, headers).end(JSON.stringify(told));
}

/** I-16: answered at once; the connection stays for a while so that the answer can be read. */
function refuseInTheMiddle(request: IncomingMessage, response: ServerResponse, code: ErrorCode): void {
  const { socket } = request;
  refuse(response, code);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function portTaken(url: string, error: unknown): PipelineError {
  return new PipelineError(
    "config.port-in-use",
    `the kit cannot listen at ${url}, where the encoder looks for Kaikeishi: ${String(error)}`,
    { cause: error },
  );
}
