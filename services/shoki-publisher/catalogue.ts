import { type Plan, titleLinks, type TitleId, type TitleView, type Track } from "@gakuen/contracts";
import { findReceipt, getPlan, type Records, type TitleRow } from "@gakuen/records";

/** A title as the API tells of it: the record, with what follows from plan and receipts. */
export async function viewTitle(records: Records, row: TitleRow): Promise<TitleView> {
  const plan = row.plan ? await getPlan(records, row.id, row.plan) : undefined;
  const planned = row.plannedSegments ?? 0;
  return {
    id: row.id,
    name: row.name,
    source: row.source.kind === "file" ? row.source.path : row.source.url,
    state: row.published && row.state === "encoding" ? "ready" : row.state,
    priority: row.priority,
    createdAt: row.createdAt.toISOString(),
    duration: plan ? plan.duration.ticks / plan.duration.timescale : null,
    progress: planned > 0 ? Math.min(1, row.storedSegments / planned) : 0,
    playable: plan !== undefined && (row.published || (await beginningIsStored(records, row.id, plan, row))),
    plan: row.plan,
    tracks: plan?.tracks.map(viewTrack) ?? [],
    error: row.error,
    links: titleLinks(row.id),
  };
}

function viewTrack(track: Track): TitleView["tracks"][number] {
  const label =
    track.kind === "video" ? `${track.width}×${track.height}` : `${track.label} (${track.encoder.channelLayout})`;
  return { id: track.id, kind: track.kind, label, codec: track.codec };
}

/** Playback starts with the lowest rung and the default sound; the players are told so by the manifests' order. */
async function beginningIsStored(records: Records, title: TitleId, plan: Plan, row: TitleRow): Promise<boolean> {
  if (!row.plan || row.storedSegments === 0) return false;
  const lowest = plan.tracks.findLast((track) => track.kind === "video");
  const sound = plan.tracks.find((track) => track.kind === "audio" && track.default);
  for (const track of [lowest, sound])
    if (track && !(await findReceipt(records, title, row.plan, track.id, 1))) return false;
  return true;
}
