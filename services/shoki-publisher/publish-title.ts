import {
  INIT_NUMBER,
  MASTER_PLAYLIST_NAME,
  MPD_NAME,
  PipelineError,
  type Plan,
  type PublishJob,
  planPrefix,
  segmentCount,
  segmentKey,
  type TrackId,
} from "@gakuen/contracts";
import { measureBandwidth, presentation, writeMasterPlaylist, writeMediaPlaylist, writeMpd } from "@gakuen/manifests";
import type { Log } from "@gakuen/platform";
import { addPublication, getPlan, getTitle, planReceipts, type Receipt, type Records } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";

export interface PublishParts {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly log: Log;
}

export const MPD_TYPE = "application/dash+xml";
export const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";

/**
 * Ends a title: nothing may be missing, measured bandwidths replace the estimates, and the manifests are written beside
 * the segments, so that any web server can serve the folder without us. Runs twice with the same result.
 *
 * Errors: `encode.incomplete` when a segment has no receipt or its object is not there in its length.
 */
export async function publishTitle({ records, store, log }: PublishParts, job: PublishJob): Promise<void> {
  const plan = await getPlan(records, job.title, job.plan);
  const row = await getTitle(records, job.title);
  // Cancelled, removed or planned anew in the meantime: nothing is to be published.
  if (!plan || row?.state !== "encoding" || row.plan !== job.plan) return;
  const receipts = await planReceipts(records, job.title, job.plan);
  await checkComplete(store, job, plan, receipts);

  const measured = new Map<TrackId, ReturnType<typeof measureBandwidth>>();
  for (const track of plan.tracks) {
    const own = receipts.filter((receipt) => receipt.track === track.id && receipt.number !== INIT_NUMBER);
    measured.set(track.id, measureBandwidth(own, track.timescale));
  }
  const model = presentation(plan, measured);
  const prefix = planPrefix(job.title, job.plan);
  for (const track of [...model.video, ...model.audio])
    await store.put(prefix + track.playlistName, Buffer.from(writeMediaPlaylist(track)), {
      contentType: PLAYLIST_TYPE,
    });
  // What leads to the others is written after them: whoever finds it finds everything.
  await store.put(prefix + MASTER_PLAYLIST_NAME, Buffer.from(writeMasterPlaylist(model)), {
    contentType: PLAYLIST_TYPE,
  });
  await store.put(prefix + MPD_NAME, Buffer.from(writeMpd(model)), { contentType: MPD_TYPE });
  await addPublication(records, job.title, job.plan);
  log.info({ ...job, objects: receipts.length }, "title published");
}

async function checkComplete(
  store: ObjectStore,
  job: PublishJob,
  plan: Plan,
  receipts: readonly Receipt[],
): Promise<void> {
  const sizes = new Map<string, number>();
  for await (const object of store.list(planPrefix(job.title, job.plan))) sizes.set(object.key, object.bytes);
  const byKey = new Map(receipts.map((receipt) => [receipt.key, receipt]));
  for (const track of plan.tracks)
    for (let number = INIT_NUMBER; number <= segmentCount(track); number++) {
      const key = segmentKey(job.title, job.plan, track.id, number);
      const receipt = byKey.get(key);
      if (receipt && sizes.get(key) === receipt.bytes) continue;
      throw new PipelineError(
        "encode.incomplete",
        receipt
          ? `${key} should have ${receipt.bytes} bytes in the store but has ${sizes.get(key) ?? "none"}`
          : `${key} was never stored`,
      );
    }
}
