import { z } from "zod";
import { ChunkRef, PlanId, TitleId } from "./ids.ts";
import { AudioChunk, AudioTrack, Picture, VideoChunk, VideoTrack } from "./plan.ts";

/** Where an encoder reads a source: a path on this machine, or a URL that answers range requests. */
export const SourceAddress = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("file"), path: z.string().min(1) }),
  z.object({ kind: z.literal("http"), url: z.url({ protocol: /^https?$/ }) }),
]);
export type SourceAddress = z.infer<typeof SourceAddress>;

/** Where Kaichou gives a title's source to encoders. */
export const sourcePath = (title: TitleId): string => `/sources/${title}`;

/** Inspect a source and plan it. Done by Kaichou. */
export const PrepareJob = z.object({ title: TitleId });
export type PrepareJob = z.infer<typeof PrepareJob>;

const encodeBase = {
  ref: ChunkRef,
  source: SourceAddress,
  originMicroseconds: z.number().int(),
  grant: z
    .string()
    .describe("Proof towards Kaikeishi that this chunk was asked for; exchanged for a token when the work begins."),
};

/**
 * Encode one chunk. The job says everything an encoder needs, so an encoder needs no database of ours.
 * Done by Otetsudai.
 */
export const EncodeJob = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("video"),
    ...encodeBase,
    picture: Picture,
    chunk: VideoChunk,
    tracks: z
      .array(VideoTrack)
      .min(1)
      .describe(
        "The tracks that the chunk makes, in the order of `chunk.tracks`; timelines hold only the chunk's segments.",
      ),
  }),
  z.object({
    kind: z.literal("audio"),
    ...encodeBase,
    chunk: AudioChunk,
    tracks: z
      .array(AudioTrack)
      .length(1)
      .describe("As above: exactly one track, its timeline holds only the chunk's segments."),
  }),
]);
export type EncodeJob = z.infer<typeof EncodeJob>;

/** Progress of an encode job, about once a second. */
export const EncodeProgress = z.object({
  seconds: z.number().describe("Media encoded so far, in seconds."),
  total: z.number().describe("Media of the whole chunk, in seconds."),
  encoder: z.string().meta({ description: "name of the encoder's process: host and pid" }),
});
export type EncodeProgress = z.infer<typeof EncodeProgress>;

/** Check that a title is complete and publish its final manifests. Done by Shoki. */
export const PublishJob = z.object({ title: TitleId, plan: PlanId });
export type PublishJob = z.infer<typeof PublishJob>;

/**
 * Priorities of encode jobs are 1 … 2²¹, lower first: the lower half belongs to chunks that a viewer waits for, the upper
 * half to all others.
 */
export const VIEWER_PRIORITIES = 2 ** 20;

/** A viewer waits for this job: encoders begin it even when all their slots are taken. */
export const isViewerPriority = (priority: number): boolean => priority < VIEWER_PRIORITIES;

export const prepareJobId = (title: TitleId): string => `${title}.prepare`;
export const encodeJobId = (ref: ChunkRef): string => `${ref.title}.${ref.plan}.${ref.chunk}`;
export const publishJobId = (job: PublishJob): string => `${job.title}.${job.plan}.publish`;
/** The title of any of our job ids; titles have no dots. */
export const titleOfJobId = (jobId: string): TitleId => jobId.slice(0, jobId.indexOf(".")) as TitleId;
