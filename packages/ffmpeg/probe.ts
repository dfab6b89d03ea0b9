import type { SourceAddress } from "@gakuen/contracts";
import { z } from "zod";
import { runProcess } from "./process.ts";
import { sourceInputOptions, sourceUrl } from "./source-input.ts";
import type { Tools } from "./tools.ts";

/** ffprobe writes numbers as strings and leaves out, or calls "N/A", what it does not know. */
const numeric = z
  .union([z.string(), z.number()])
  .optional()
  .transform((value) => {
    const number = Number(value ?? Number.NaN);
    return Number.isFinite(number) ? number : null;
  });
const fraction = z
  .string()
  .optional()
  .transform((value) => {
    const [num, den] = (value ?? "0:0").split(/[/:]/).map(Number);
    return num !== undefined && den !== undefined && num > 0 && den > 0 ? { num, den } : null;
  });
const flag = z.number().default(0).transform(Boolean);

const SideData = z.object({ side_data_type: z.string().optional(), rotation: z.number().optional() });

const ProbedStream = z.object({
  index: z.number().int(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  width: z.number().int().optional(),
  height: z.number().int().optional(),
  pix_fmt: z.string().optional(),
  sample_aspect_ratio: fraction,
  r_frame_rate: fraction,
  avg_frame_rate: fraction,
  time_base: fraction,
  start_time: numeric,
  duration: numeric,
  bit_rate: numeric,
  nb_frames: numeric,
  sample_rate: numeric,
  channels: z.number().int().optional(),
  channel_layout: z.string().optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  disposition: z.object({ default: flag, attached_pic: flag, timed_thumbnails: flag }).prefault({}),
  tags: z.record(z.string(), z.string()).default({}),
  side_data_list: z.array(SideData).default([]),
});
export type ProbedStream = z.infer<typeof ProbedStream>;

const Probe = z.object({
  streams: z.array(ProbedStream).default([]),
  format: z.object({
    format_name: z.string(),
    start_time: numeric,
    duration: numeric,
    bit_rate: numeric,
  }),
});
export type Probe = z.infer<typeof Probe>;

/**
 * What ffprobe says about a source's container and streams.
 * Errors: `tool.failed` when ffprobe cannot make anything of it, `tool.missing`.
 */
export async function probe(address: SourceAddress, tools: Tools, signal: AbortSignal): Promise<Probe> {
  const { stdout } = await runProcess(
    tools.ffprobe,
    [
      ["-hide_banner", "-loglevel", "error", ...sourceInputOptions(address)],
      // Enough for a transport stream whose sound begins late; files with an index need a fraction of it.
      ["-analyzeduration", "5000000", "-probesize", "10000000"],
      ["-show_format", "-show_streams", "-of", "json", "-i", sourceUrl(address)],
    ].flat(),
    { signal, timeoutMs: 60_000 },
  );
  return Probe.parse(JSON.parse(stdout));
}
