import { runProcess } from "./process.ts";
import type { Tools } from "./tools.ts";

const known = new Map<string, Promise<ReadonlySet<string>>>();

/** Names of the codecs that this ffmpeg can decode, as ffprobe calls them; asked once per executable. */
export function decodableCodecs(tools: Tools): Promise<ReadonlySet<string>> {
  let asked = known.get(tools.ffmpeg);
  if (asked === undefined) {
    // Not the caller's signal: one who gives up must not spoil the answer for the others.
    asked = askFor(tools.ffmpeg, AbortSignal.timeout(30_000));
    asked.catch(() => known.delete(tools.ffmpeg));
    known.set(tools.ffmpeg, asked);
  }
  return asked;
}

async function askFor(ffmpeg: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const { stdout } = await runProcess(ffmpeg, ["-hide_banner", "-codecs"], { signal });
  // " DEV.LS h264   H.264 …": the first letter says that it can be decoded.
  const lines = stdout.matchAll(/^ D[E.][VASDT.][I.][L.][S.] (\S+)/gm);
  return new Set(Array.from(lines, (line) => line[1] ?? ""));
}
