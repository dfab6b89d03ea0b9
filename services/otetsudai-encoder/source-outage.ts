import { type EncodeJob, PipelineError, sourcePath } from "@gakuen/contracts";

const ANSWER_WITHIN_MS = 10_000;

/**
 * Why ffmpeg cannot have read its source, where Kaichou gives it and Kaichou, or the store it leads to, is away: then
 * whatever ffmpeg said is no failure of the chunk. Other web servers are their owner's affair: one that is gone for good
 * would keep the title waiting for ever.
 *
 * @returns `service.unreachable`, or nothing when the source is there or is refused for a reason that stays
 */
export async function sourceOutage(
  { ref, source }: EncodeJob,
  signal: AbortSignal,
): Promise<PipelineError | undefined> {
  if (source.kind !== "http" || new URL(source.url).pathname !== sourcePath(ref.title)) return undefined;
  const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
  // Of a body one byte is asked for: URLs that stores signed for GET do not answer HEAD.
  const asked = fetch(source.url, { headers: { range: "bytes=0-0" }, signal: within });
  try {
    const { status, body } = await asked;
    await body?.cancel();
    return status >= 502 ? away(source.url, `answers ${status}`) : undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    return away(source.url, "does not answer", error);
  }
}

const away = (url: string, how: string, cause?: unknown): PipelineError =>
  new PipelineError("service.unreachable", `the source cannot be read: Kaichou at ${new URL(url).host} ${how}`, {
    cause,
  });
