import type { EncodeJob } from "@gakuen/contracts";
import { audioArgs, startProcess, videoArgs } from "@gakuen/ffmpeg";
import type { CmafPart } from "@gakuen/media";
import { trackBody } from "@gakuen/otetsudai-encoder";

/**
 * What a chunk's encoder must send (docs/contracts/encoding.md), made by our own: of each track its init segment,
 * then its segments.
 */
export async function referenceTracks(job: EncodeJob, ffmpegCommand: string): Promise<ReadonlyMap<string, CmafPart[]>> {
  const args = job.kind === "video" ? videoArgs(job) : audioArgs(job);
  const ffmpeg = startProcess(ffmpegCommand, args, {
    signal: AbortSignal.timeout(120_000),
    outputs: job.tracks.length,
  });
  const tracks = await Promise.all(
    ffmpeg.outputs.map(
      async (output, index) =>
        [job.tracks[index]?.id ?? "", await Array.fromAsync(trackBody(job, index, output))] as const,
    ),
  );
  const { exitCode } = await ffmpeg.done;
  if (exitCode !== 0) throw new Error(`the kit's own ffmpeg failed: ${ffmpeg.stderrTail()}`);
  return new Map(tracks);
}
