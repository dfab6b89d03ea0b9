import { z } from "zod";
import { PlanId, TitleId } from "./ids.ts";
import { PlanSettings } from "./plan.ts";

/**
 * waiting: taken in, not inspected yet. preparing: being inspected and planned. encoding: planned; plays as far as
 * viewers push it. paused: as encoding, but nothing is being encoded until it is resumed. ready: complete and published.
 * failed, cancelled: stopped, can be retried. removing: going away.
 */
export const TitleState = z.enum([
  "waiting",
  "preparing",
  "encoding",
  "paused",
  "ready",
  "failed",
  "cancelled",
  "removing",
]);
export type TitleState = z.infer<typeof TitleState>;

export const TitleView = z
  .object({
    id: TitleId,
    name: z.string(),
    source: z.string().meta({ description: "path or URL" }),
    state: TitleState,
    priority: z.number().int(),
    createdAt: z.iso.datetime(),
    duration: z.number().nullable().meta({ description: "seconds; null until planned" }),
    progress: z.number().min(0).max(1).meta({ description: "share of the media that is durably stored" }),
    playable: z.boolean().meta({ description: "the beginning is stored, playback starts at once" }),
    plan: PlanId.nullable(),
    tracks: z.array(
      z.object({ id: z.string(), kind: z.enum(["video", "audio"]), label: z.string(), codec: z.string() }),
    ),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    links: z.object({ watch: z.string(), dash: z.string(), hls: z.string() }),
  })
  .meta({ id: "Title" });
export type TitleView = z.infer<typeof TitleView>;

/** 0 first, 15 last. */
export const TitlePriority = z.number().int().min(0).max(15).meta({ description: "0 first, 15 last" });

export const AddTitle = z
  .object({
    source: z.string().min(1).meta({ description: "a path on Kaichou's machine, an http(s) URL or s3://bucket/key" }),
    name: z.string().min(1).max(200).optional(),
    priority: TitlePriority.default(8),
    settings: PlanSettings.default(PlanSettings.parse({})),
  })
  .meta({ id: "AddTitle" });
export type AddTitle = z.infer<typeof AddTitle>;

export const ChangeTitle = z.object({ priority: TitlePriority }).meta({ id: "ChangeTitle" });
export type ChangeTitle = z.infer<typeof ChangeTitle>;

export const AddedTitle = z.object({ id: TitleId, links: TitleView.shape.links }).meta({ id: "AddedTitle" });
export type AddedTitle = z.infer<typeof AddedTitle>;

/** Where a title plays, relative to the front door; each leads on to the title's current plan. */
export const titleLinks = (id: TitleId): TitleView["links"] => ({
  watch: `/watch/${id}`,
  dash: `/watch/${id}/manifest.mpd`,
  hls: `/watch/${id}/master.m3u8`,
});

export const TitleList = z
  .object({ titles: z.array(TitleView), next: z.string().nullable() })
  .meta({ id: "TitleList" });
export type TitleList = z.infer<typeof TitleList>;
