import { z } from "zod";
import { ChunkRef, TitleId } from "./ids.ts";

/** What every token of ours says beside its own claims (RFC 7519, signed with HS256 and the UTF-8 bytes of GAKUEN_SECRET). */
const registered = { iat: z.number().int(), exp: z.number().int().meta({ description: "seconds since 1970" }) };

/** A job's grant: whoever bears it may claim this chunk. */
export const GrantClaims = ChunkRef.extend({ aud: z.literal("grant"), ...registered });

/** A claim's token: whoever bears it is this attempt at the chunk. Only Kaikeishi reads it. */
export const AttemptClaims = ChunkRef.extend({
  aud: z.literal("ingest"),
  attempt: z.number().int().positive(),
  ...registered,
});

/** A source's token, in the query of its address: whoever bears it may read the title's source. Only Kaichou reads it. */
export const SourceClaims = z.object({ title: TitleId, aud: z.literal("source"), ...registered });
