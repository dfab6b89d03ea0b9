import { createHash } from "node:crypto";
import { z } from "zod";

/**
 * Names of things. Each is a string at run time and its own type at compile time, so that a plan's hash
 * can never be passed where a title is wanted.
 */

/** A title: `slug-random`, lower case, safe in a URL, a file name and an object key. */
export const TitleId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{2,79}$/, "a title id is 3 to 80 of a-z, 0-9 and -")
  .brand<"TitleId">();
export type TitleId = z.infer<typeof TitleId>;

/** A plan: the first 20 hex digits of the SHA-256 of its canonical JSON. */
export const PlanId = z
  .string()
  .regex(/^[0-9a-f]{20}$/, "a plan id is 20 hex digits")
  .brand<"PlanId">();
export type PlanId = z.infer<typeof PlanId>;

/** A track of a plan, for instance `v1080` or `a1`; also its folder's name in the store. */
export const TrackId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "a track id is a letter, then a-z, 0-9 and -")
  .brand<"TrackId">();
export type TrackId = z.infer<typeof TrackId>;

/** A chunk of a plan, for instance `v3` or `a1-0`. */
export const ChunkId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,47}$/, "a chunk id is a letter, then a-z, 0-9 and -")
  .brand<"ChunkId">();
export type ChunkId = z.infer<typeof ChunkId>;

/** One chunk of one plan of one title: the unit of work of one encoder. */
export const ChunkRef = z.object({ title: TitleId, plan: PlanId, chunk: ChunkId });
export type ChunkRef = z.infer<typeof ChunkRef>;

/** JSON with sorted keys and no white space (the subset of RFC 8785 that plans need: no exotic numbers). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** The name of a plan: a hash of what it says, so that equal plans have equal names. */
export function planIdOf(plan: unknown): PlanId {
  return createHash("sha256").update(canonicalJson(plan)).digest("hex").slice(0, 20) as PlanId;
}
