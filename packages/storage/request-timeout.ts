/** What a request may take that sends next to nothing. */
const REQUEST_MS = 3000;
/** The slowest way to a store that is taken for working: 1 MiB/s for each of the requests at a time. */
const BYTES_PER_MS = 1024 * 1.024;
/** Ceph deletes some 200 objects a second, others more. */
const DELETE_MS = 10;

/** How often a request is tried before it has failed. */
export const ATTEMPTS = 3;

/** How long one attempt at a request may take until its answer begins, in milliseconds. */
export function requestTimeout({ bytes = 0, deletes = 0 }: { bytes?: number; deletes?: number } = {}): number {
  return Math.ceil(REQUEST_MS + bytes / BYTES_PER_MS + deletes * DELETE_MS);
}
