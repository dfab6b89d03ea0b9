import {
  INIT_NUMBER,
  MASTER_PLAYLIST_NAME,
  MPD_NAME,
  PipelineError,
  type Plan,
  type PlanId,
  planPrefix,
  segmentCount,
  type TitleId,
  type Track,
  type TrackId,
} from "@gakuen/contracts";
import { findReceipt, getPlan, getTitle, type Receipt, type Records, type TitleRow } from "@gakuen/records";
import type { ObjectStore } from "@gakuen/storage";
import { type ManifestText, plannedManifest } from "./manifests.ts";
import { MPD_TYPE, PLAYLIST_TYPE } from "./publish-title.ts";
import type { ServedObject } from "./serve-object.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export interface WatchParts {
  readonly records: Records;
  readonly store: ObjectStore;
  readonly waitingRoom: WaitingRoom;
  /** How long a request is held, 9 s by default. */
  readonly holdMs?: number;
}

/**
 * How long a request is held for something that is being made. Longer than a segment takes: dash.js gives up after
 * three refusals; shorter than the 10 to 20 s after which players and proxies drop a silent request.
 */
const HOLD_MS = 9000;
const LOOK_AGAIN_MS = 100;

/** The id of a title's current plan; waits a little for one that is being planned. */
export async function currentPlan(
  { records, holdMs = HOLD_MS }: WatchParts,
  title: TitleId,
  gone: AbortSignal,
): Promise<PlanId> {
  const until = Date.now() + holdMs;
  while (true) {
    const row = await existing(records, title);
    if (row.plan) return row.plan;
    if (row.error) throw new PipelineError("segment.not-found", `${title} failed: ${row.error.message}`);
    if (gone.aborted || Date.now() > until)
      throw new PipelineError("segment.not-ready", `${title} is not planned yet; try again in a moment`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** A manifest: the published one where the title is complete, else what the plan alone says. */
export async function findManifest(
  { records, store }: WatchParts,
  title: TitleId,
  planId: PlanId,
  name: string,
): Promise<ManifestText | ServedObject> {
  const row = await existing(records, title);
  const plan = await existingPlan(records, title, planId);
  if (row.published && row.plan === planId) {
    const key = planPrefix(title, planId) + name;
    const object = await store.stat(key);
    if (object && (name === MPD_NAME || name.endsWith(".m3u8")))
      return { key, bytes: object.bytes, etag: `"${object.etag}"`, type: name === MPD_NAME ? MPD_TYPE : PLAYLIST_TYPE };
  }
  const manifest = plannedManifest(plan, name);
  if (manifest) return manifest;
  throw new PipelineError(
    "segment.not-found",
    `${title} has no ${name}; it has ${MPD_NAME} and ${MASTER_PLAYLIST_NAME}`,
  );
}

/** A segment of a title; one that is still to be made is waited for. */
export async function findSegment(
  parts: WatchParts,
  wanted: { readonly title: TitleId; readonly planId: PlanId; readonly track: string; readonly file: string },
  gone: AbortSignal,
): Promise<ServedObject> {
  const { title, planId } = wanted;
  const plan = await existingPlan(parts.records, title, planId);
  const track = plan.tracks.find((candidate) => candidate.id === wanted.track);
  const number = segmentNumber(wanted.file);
  if (!track || number === undefined || number > segmentCount(track))
    throw new PipelineError("segment.not-found", `${title} has no ${wanted.track}/${wanted.file}`);

  // From the first that is not there yet.
  let held: AbortSignal | undefined;
  const received = async (id: TrackId, nth: number): Promise<Receipt | undefined> => {
    const stored = await findReceipt(parts.records, title, planId, id, nth);
    if (stored) return stored;
    held ??= AbortSignal.timeout(parts.holdMs ?? HOLD_MS);
    return parts.waitingRoom.wait({ title, planId, plan, track: id, number: nth }, gone, held);
  };

  const before = pictureBefore(plan, track, number);
  if (before) await received(before.id, 1);
  const receipt = await received(track.id, number);
  if (receipt) return asObject(receipt, track);
  const { state } = await existing(parts.records, title);
  throw notMade(state, title, `${wanted.track}/${wanted.file}`);
}

/**
 * The picture that is waited for before the second segment of sound is given. Sound is encoded long before: shaka-player
 * sees how fast two segments of it come (`abr.advanced.minTotalBytes`), leaves the lowest rung before it has one picture
 * of it, and waits for a rung that is made last.
 */
function pictureBefore(plan: Plan, track: Track, number: number): Track | undefined {
  return track.kind === "audio" && number === 2 ? plan.tracks.findLast(({ kind }) => kind === "video") : undefined;
}

function notMade(state: TitleRow["state"], title: TitleId, segment: string): PipelineError {
  if (state === "encoding")
    return new PipelineError("segment.not-ready", `${segment} is still being encoded; try again in a moment`);
  if (state === "paused") return new PipelineError("segment.not-ready", `${title} is paused: ${segment} is made later`);
  return new PipelineError("segment.not-found", `${title} is ${state}: ${segment} was not made`);
}

const segmentNumber = (file: string): number | undefined => {
  if (file === "init.mp4") return INIT_NUMBER;
  const match = /^([1-9]\d{0,8})\.m4s$/.exec(file);
  return match ? Number(match[1]) : undefined;
};

function asObject(receipt: Receipt, track: Track): ServedObject {
  return {
    key: receipt.key,
    bytes: receipt.bytes,
    etag: `"${receipt.sha256.slice(0, 32)}"`,
    type: track.kind === "video" ? "video/mp4" : "audio/mp4",
  };
}

async function existing(records: Records, title: TitleId): Promise<TitleRow> {
  const row = await getTitle(records, title);
  if (row && row.state !== "removing") return row;
  throw new PipelineError("title.not-found", `there is no title ${title}`);
}

async function existingPlan(records: Records, title: TitleId, planId: PlanId): Promise<Plan> {
  const plan = await getPlan(records, title, planId);
  if (plan) return plan;
  throw new PipelineError("segment.not-found", `title ${title} has no plan ${planId}`);
}
