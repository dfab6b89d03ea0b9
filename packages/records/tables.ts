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

/** Where a title's source really lies, beyond its address. Written by Kaichou alone. */
interface SourcesTable {
  title: string;
  /** `s3://bucket/key?…` of a source in an object store. */
  object: string | null;
  /** Base URL of the Kaichou on whose machine a local source lies; null where no other is asked. */
  owner: string | null;
  /** Names the content as far as its place can tell; null until it was looked at. */
  version: string | null;
  /** The title is made from this version and from no other. */
  firm: Generated<boolean>;
}

/** What was taken in from watched folders and buckets. Written by Kaichou alone. */
interface WatchedTable {
  /** The watched folder or bucket. */
  place: string;
  /** Path or key in it. */
  name: string;
  version: string;
  title: string;
  taken_at: Generated<Date>;
}

/** Copies of published plans in a second store. Written by Shoki alone. */
interface ReplicasTable {
  /** URL of the second store. */
  destination: string;
  title: string;
  plan: string;
  /** null until every object was copied. */
  copied_at: Date | null;
  objects: Generated<number>;
  bytes: Generated<number>;
  /** `{ code, message }` of the last try; null where it went well. */
  error: JsonOrNull;
  /** Tries in a row that went wrong. */
  failures: Generated<number>;
  /** Not before. */
  due_at: Generated<Date>;
  /** Whoever is copying or removing now, by the database's clock. */
  lease: string | null;
  leased_until: Date | null;
}

/** All tables of the schema `gakuen`. */
export interface Database {
  titles: TitlesTable;
  plans: PlansTable;
  claims: ClaimsTable;
  receipts: ReceiptsTable;
  publications: PublicationsTable;
  sources: SourcesTable;
  watched: WatchedTable;
  replicas: ReplicasTable;
}
