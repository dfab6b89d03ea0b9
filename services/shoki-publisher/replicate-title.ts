import { createHash } from "node:crypto";
import {
  MASTER_PLAYLIST_NAME,
  MPD_NAME,
  mediaPlaylistName,
  PipelineError,
  type Plan,
  planPrefix,
} from "@gakuen/contracts";
import { getPlan, planReceipts, type Receipt, type Records, type ReplicaTask } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { MPD_TYPE, PLAYLIST_TYPE } from "./publish-title.ts";

export interface ReplicateParts {
  readonly records: Records;
  readonly store: Pick<ObjectStore, "get">;
  readonly replica: Pick<ObjectStore, "put" | "list">;
}

/** Segments on their way at the same time; each is in memory whole, as it was when it was taken in. */
const PARALLEL = 4;

/**
 * Copies a published plan to the second store: segments first, then what leads to them, so that whoever finds a manifest
 * there finds everything. Interrupted and begun again it copies what is missing. Every segment is compared with the
 * checksum of its receipt before it is written.
 *
 * Errors: `encode.incomplete` when the first store does not have what was stored; `store.*`; the signal's reason.
 */
export async function copyPlan(
  parts: ReplicateParts,
  { title, plan: planId }: Pick<ReplicaTask, "title" | "plan">,
  signal: AbortSignal,
): Promise<{ objects: number; bytes: number }> {
  const { records, store, replica } = parts;
  const plan = await getPlan(records, title, planId);
  if (!plan) throw new PipelineError("title.not-found", `there is no plan ${planId} of ${title} any more`);
  const prefix = planPrefix(title, planId);
  const receipts = await planReceipts(records, title, planId);
  const sizes = new Map<string, number>();
  for await (const { key, bytes } of replica.list(prefix)) sizes.set(key, bytes);

  const kinds = new Map<string, string>(plan.tracks.map(({ id, kind }) => [id, kind]));
  const missing = receipts.filter(({ key, bytes }) => sizes.get(key) !== bytes);
  await eachOf(missing, PARALLEL, signal, async (receipt, until) => {
    const contentType = `${kinds.get(receipt.track) ?? "video"}/mp4`;
    await replica.put(receipt.key, await verified(store, receipt, until), { contentType, signal: until });
  });

  let manifestBytes = 0;
  const manifests = manifestsOf(plan);
  for (const [name, contentType] of manifests) {
    signal.throwIfAborted();
    const bytes = await readWhole(store, prefix + name, signal);
    await replica.put(prefix + name, bytes, { contentType, signal });
    manifestBytes += bytes.byteLength;
  }
  return {
    objects: receipts.length + manifests.length,
    bytes: receipts.reduce((sum, { bytes }) => sum + bytes, manifestBytes),
  };
}

/** What leads to others comes after them. */
function manifestsOf(plan: Plan): readonly (readonly [string, string])[] {
  const playlists = plan.tracks.map(({ id }) => [mediaPlaylistName(id), PLAYLIST_TYPE] as const);
  return [...playlists, [MASTER_PLAYLIST_NAME, PLAYLIST_TYPE], [MPD_NAME, MPD_TYPE]];
}

async function verified(store: ReplicateParts["store"], receipt: Receipt, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await readWhole(store, receipt.key, signal);
  if (createHash("sha256").update(bytes).digest("hex") === receipt.sha256) return bytes;
  throw new PipelineError(
    "encode.incomplete",
    `${receipt.key} in the first store is not what was stored there (its checksum is another); restore it`,
  );
}

async function readWhole(store: ReplicateParts["store"], key: string, signal: AbortSignal): Promise<Uint8Array> {
  const { body } = await store.get(key, { signal });
  return Buffer.concat(await body.toArray());
}

/** Does `work` for every item, some at a time; the first error ends the others and is the one that is told. */
async function eachOf<T>(
  items: readonly T[],
  parallel: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const queue = items.values();
  const workers = Array.from({ length: parallel }, async () => {
    for (const item of queue) {
      either.throwIfAborted();
      await work(item, either);
    }
  });
  await Promise.allSettled(workers.map((worker) => worker.catch((error: unknown) => stop.abort(error))));
  either.throwIfAborted();
}
