import type { PlanId, TitleId, TrackId } from "./ids.ts";

/** Object keys. They name the content by what made it, so a repeated task writes the same names. */

export const titlePrefix = (title: TitleId): string => `titles/${title}/`;
export const planPrefix = (title: TitleId, plan: PlanId): string => `titles/${title}/${plan}/`;

/** Names inside a plan's folder; manifests use the same relative names, so a folder plays wherever it lies. */
export const initName = (track: TrackId): string => `${track}/init.mp4`;
export const segmentName = (track: TrackId, number: number): string => `${track}/${number}.m4s`;
export const mediaPlaylistName = (track: TrackId): string => `${track}.m3u8`;
export const MPD_NAME = "manifest.mpd";
export const MASTER_PLAYLIST_NAME = "master.m3u8";

/** The init segment is number 0 of its track; media segments count from 1. */
export const INIT_NUMBER = 0;

export function segmentKey(title: TitleId, plan: PlanId, track: TrackId, number: number): string {
  return planPrefix(title, plan) + (number === INIT_NUMBER ? initName(track) : segmentName(track, number));
}
