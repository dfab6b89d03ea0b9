import type { SourceAddress } from "@gakuen/contracts";

/** A film that was seen in a watched place. */
export interface SeenFilm {
  /** Path or key. */
  readonly name: string;
  readonly version: string;
  readonly source: SourceAddress;
  /** Its `s3://` URL, where it is an object of a store. */
  readonly object: string | null;
}

/** A folder or bucket, looked through again and again. */
export interface WatchedPlace {
  /** As people know it. */
  readonly shown: string;
  /** What the names are unique in; it stays the same when another part of it is watched, or by another route. */
  readonly place: string;
  /** A film must look the same for this long, since it may still be on its way. */
  readonly settleMs: number;
  /** Pause between two looks. */
  readonly everyMs: number;
  /** All films that are there; `other` is told the names of what else is. Errors: what listing the place throws. */
  films(other: (name: string) => void): AsyncIterable<SeenFilm>;
}
