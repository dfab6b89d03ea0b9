import { Claim, type ChunkRef, claimPath, ingestPath, TrackId } from "@gakuen/contracts";
import type { CmafPart } from "@gakuen/media";
import type { Tokens } from "@gakuen/platform";
import { demand, demandEqual } from "./report.ts";
import { inPieces } from "./sample-film.ts";
import { type Answer, demandStatus, readJson, sendRequest } from "./send-request.ts";

const GRANT_SECONDS = 600;

/** The kit as an encoder: asks a Kaikeishi, and takes nothing for granted. */
export interface IngestClient {
  grant(ref: ChunkRef, claims?: object): Promise<string>;
  claimWith(ref: ChunkRef, bearer: string | undefined): Promise<Answer>;
  /** The claim must be open. */
  open(ref: ChunkRef): Promise<Extract<Claim, { state: "open" }>>;
  claim(ref: ChunkRef): Promise<Claim>;
  put(ref: ChunkRef, track: string, token: string, body: PutBody, more?: { readonly type?: string }): Promise<Answer>;
}

type PutBody = readonly CmafPart[] | Buffer | AsyncGenerator<Uint8Array>;

export function ingestClient(baseUrl: string, tokens: Tokens): IngestClient {
  const client: IngestClient = {
    grant: (ref, claims = {}) => tokens.sign("grant", { ...ref, ...claims }, GRANT_SECONDS),
    claimWith: (ref, bearer) =>
      sendRequest(new URL(claimPath(ref), baseUrl), {
        method: "POST",
        body: "",
        headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
      }),
    async claim(ref) {
      const answer = await client.claimWith(ref, await client.grant(ref));
      demandStatus(answer, 200);
      return readJson(answer, Claim, "the claim");
    },
    async open(ref) {
      const claim = await client.claim(ref);
      demand(claim.state === "open", "the claim of a chunk that is not complete must be open");
      return claim;
    },
    put: (ref, track, token, body, { type = "video/mp4" } = {}) =>
      sendRequest(new URL(ingestPath({ ...ref, track: TrackId.parse(track) }), baseUrl), {
        method: "PUT",
        headers: { authorization: `Bearer ${token}`, "content-type": type },
        body: Array.isArray(body) || Buffer.isBuffer(body) ? inPieces(body) : (body as AsyncGenerator<Uint8Array>),
      }),
  };
  return client;
}

/** 201 with these numbers. */
export function demandStored(answer: Answer, wanted: { readonly stored: number; readonly matched: number }): void {
  demandStatus(answer, 201);
  demandEqual("the answer", JSON.parse(answer.body.toString("utf8")), wanted);
}
