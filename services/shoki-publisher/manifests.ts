import { createHash } from "node:crypto";
import { MASTER_PLAYLIST_NAME, MPD_NAME, type Plan } from "@gakuen/contracts";
import { presentation, writeMasterPlaylist, writeMediaPlaylist, writeMpd } from "@gakuen/manifests";
import { MPD_TYPE, PLAYLIST_TYPE } from "./publish-title.ts";

export interface ManifestText {
  readonly text: string;
  readonly type: string;
  readonly etag: string;
}

/**
 * The manifest of that name as the plan alone gives it: whole, with estimated bandwidths; `undefined` where the plan has
 * none of that name.
 */
export function plannedManifest(plan: Plan, name: string): ManifestText | undefined {
  const model = presentation(plan);
  if (name === MPD_NAME) return tagged(writeMpd(model), MPD_TYPE);
  if (name === MASTER_PLAYLIST_NAME) return tagged(writeMasterPlaylist(model), PLAYLIST_TYPE);
  const track = [...model.video, ...model.audio].find((candidate) => candidate.playlistName === name);
  return track && tagged(writeMediaPlaylist(track), PLAYLIST_TYPE);
}

function tagged(text: string, type: string): ManifestText {
  return { text, type, etag: `"${createHash("sha256").update(text).digest("hex").slice(0, 32)}"` };
}
