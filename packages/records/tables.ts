import type { TitleState } from "@gakuen/contracts";
import type { ColumnType, Generated } from "kysely";

/** The states that a title's row can have; `ready` is not stored: it follows from a publication of the current plan. */
export type StoredTitleState = Exclude<TitleState, "ready">;

/** A jsonb column: what comes out is not trusted before a schema has parsed it, what goes in is JSON text. */
type Json = ColumnType<unknown, string, string>;
type JsonOrNull = ColumnType<unknown, string | null | undefined, string | null>;

/** What was asked for, and how far it got. Written by Kaichou alone. */
interface TitlesTable {
  id: string;
  name: string;
  /** A SourceAddress. */
  source: Json;
  /** PlanSettings. */
  settings: Json;
  /** 0 first, 15 last. */
  priority: number;
  state: StoredTitleState;
  /** `{ code, message }`; null where nothing is wrong. */
  error: JsonOrNull;
  /** The current plan; null until the title is planned. */
  plan: string | null;
  /** An Inspection; null until the source was inspected. */
  inspection: JsonOrNull;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

/** Immutable plans. Written by Kaichou alone. */
interface PlansTable {
  title: string;
  id: string;
  body: Json;
  /** Media segments of the whole plan over all tracks, init segments not counted. */
  segments: number;
  created_at: Generated<Date>;
}

/** Who may write a chunk: the attempt that claimed it last. Written by Kaikeishi alone. */
interface ClaimsTable {
  title: string;
  plan: string;
  chunk: string;
  attempt: number;
  claimed_at: Generated<Date>;
}

/** Segments that are durably stored; number 0 is a track's init segment. Written by Kaikeishi alone. */
interface ReceiptsTable {
  title: string;
  plan: string;
  track: string;
  number: number;
  chunk: string;
  attempt: number;
  /** Object key in the store. */
  key: string;
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  /** Ticks of the track's timescale from the title's start. */
  start: number;
  /** Ticks. */
  duration: number;
  stored_at: Generated<Date>;
}

/** Plans whose final manifests are in the store. Written by Shoki alone. */
interface PublicationsTable {
  title: string;
  plan: string;
  published_at: Generated<Date>;
}

/** All tables of the schema `gakuen`. */
export interface Database {
  titles: TitlesTable;
  plans: PlansTable;
  claims: ClaimsTable;
  receipts: ReceiptsTable;
  publications: PublicationsTable;
}
