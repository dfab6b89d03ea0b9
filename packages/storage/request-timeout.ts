/** What a request may take that sends next to nothing. */
const REQUEST_MS = 3000;
/** The slowest way to a store that is taken for working: 64 KiB/s for each of the requests that share it. */
const BYTES_PER_MS = 64 * 1.024;
/** Ceph deletes some 200 objects a second, others more. */
const DELETE_MS = 10;

/**
 * How long a body on its way may make no progress. Time limits that only scale with its size would either wait minutes
 * for a dead store or, where many uploads share a slow line, end each of them again and again.
 */
export const IDLE_MS = 5000;

/** How often a request is tried before it has failed. */
export const ATTEMPTS = 3;

/** How long one attempt at a request may take until its answer begins, in milliseconds. */
export function requestTimeout({ bytes = 0, deletes = 0 }: { bytes?: number; deletes?: number } = {}): number {
  return Math.ceil(REQUEST_MS + bytes / BYTES_PER_MS + deletes * DELETE_MS);
}
