import { z } from "zod";
import type { ChunkId, ChunkRef, PlanId, TitleId, TrackId } from "./ids.ts";

/**
 * The ingest protocol between an encoder and Kaikeishi.
 *
 * 1. `POST /ingest/{title}/{plan}/{chunk}/claim` with the job's grant as bearer token. Kaikeishi takes the chunk
 *    away from whoever had it and answers with an attempt number and a token that names it, or says that the chunk
 *    is complete and nothing is left to do.
 * 2. `PUT /ingest/{title}/{plan}/{track}/{chunk}` with that token, once per track, all at the same time: the body is
 *    a CMAF track (init segment, then one moof + mdat per segment, with the title's own decode times), sent while it
 *    is encoded, as in the DASH-IF Live Media Ingest Protocol 1.2, interface 1. 201 when every segment of the track
 *    in this chunk is durable.
 *
 * A later claim fences an earlier one: its segments are refused with 409 `ingest.claim-lost`.
 */

export const Claim = z.discriminatedUnion("state", [
  z.object({ state: z.literal("complete") }),
  z.object({ state: z.literal("open"), attempt: z.number().int().positive(), token: z.string() }),
]);
export type Claim = z.infer<typeof Claim>;

export const IngestResult = z.object({
  stored: z.number().int().meta({ description: "segments stored by this request" }),
  matched: z.number().int().meta({ description: "segments that were stored before with the same bytes" }),
});
export type IngestResult = z.infer<typeof IngestResult>;

export interface IngestTarget {
  readonly title: TitleId;
  readonly plan: PlanId;
  readonly track: TrackId;
  readonly chunk: ChunkId;
}

/** What an encoder needs of Kaikeishi: the service itself in one process, an HTTP client across machines. */
export interface Ingest {
  /** Errors: `ingest.unauthorized`, `ingest.title-gone`. */
  claim(ref: ChunkRef, grant: string, signal: AbortSignal): Promise<Claim>;
  /**
   * Resolves when every segment of the track in this chunk is durable. Reads `body` no faster than the store takes it.
   * Errors: `ingest.unauthorized`, `ingest.claim-lost`, `ingest.title-gone`, `ingest.mismatch`, `ingest.malformed`,
   * `ingest.too-large`, `store.*`, and whatever `body` throws.
   */
  put(target: IngestTarget, token: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestResult>;
}

export const claimPath = (ref: ChunkRef): string => `/ingest/${ref.title}/${ref.plan}/${ref.chunk}/claim`;
export const ingestPath = (target: IngestTarget): string =>
  `/ingest/${target.title}/${target.plan}/${target.track}/${target.chunk}`;
