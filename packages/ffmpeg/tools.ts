import { PipelineError } from "@gakuen/contracts";
import { runProcess } from "./process.ts";

/** Checked executables: paths or names as they are started, and ffmpeg's version. */
export interface Tools {
  readonly ffmpeg: string;
  readonly ffprobe: string;
  readonly version: string;
}

const MINIMUM = [5, 1] as const;
const encoders = ["libx264", "aac"];
const filters = ["bwdif", "fps", "trim", "scale", "zscale", "tonemap", "idet", "aresample", "tpad", "setparams"];

/**
 * Checks that ffmpeg and ffprobe are there, new enough, and can do all that a plan may ask of them.
 * Errors: `tool.missing` names what is missing and how to get it.
 */
export async function findTools(
  names: { readonly ffmpeg: string; readonly ffprobe: string },
  signal: AbortSignal = AbortSignal.timeout(30_000),
): Promise<Tools> {
  const [probeVersion, encoderList, filterList] = await Promise.all([
    runProcess(names.ffprobe, ["-version"], { signal }),
    runProcess(names.ffmpeg, ["-encoders"], { signal }),
    runProcess(names.ffmpeg, ["-hide_banner", "-filters"], { signal }),
  ]);
  demandVersion(names.ffprobe, probeVersion.stdout);
  // The banner, which is on stderr, tells the version.
  const version = demandVersion(names.ffmpeg, encoderList.stderr);
  demandNames(names.ffmpeg, "encoder", encoderList.stdout, encoders);
  demandNames(names.ffmpeg, "filter", filterList.stdout, filters);
  const { ffmpeg, ffprobe } = names;
  return { ffmpeg, ffprobe, version };
}

/** The version that the first line tells, for instance `5.1.9-0+deb12u1`; builds from git have no number and pass. */
function demandVersion(command: string, output: string): string {
  const version = /version (\S+)/.exec(output)?.[1];
  if (version === undefined) throw new PipelineError("tool.missing", `${command} is not ffmpeg: it tells no version`);
  const number = /^n?(\d+)\.(\d+)/.exec(version);
  if (number === null) return version;
  const [major, minor] = [Number(number[1]), Number(number[2])];
  if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1]))
    throw new PipelineError(
      "tool.missing",
      `${command} is version ${version}; version ${MINIMUM.join(".")} or later is needed. ` +
        `Install a newer one and set GAKUEN_FFMPEG and GAKUEN_FFPROBE to where it is.`,
    );
  return version;
}

function demandNames(command: string, kind: string, listing: string, wanted: readonly string[]): void {
  const present = new Set(listing.split("\n").map((line) => line.trim().split(/\s+/)[1]));
  const absent = wanted.filter((name) => !present.has(name));
  if (absent.length > 0)
    throw new PipelineError(
      "tool.missing",
      `${command} was built without the ${kind}${absent.length > 1 ? "s" : ""} ${absent.join(", ")}. ` +
        `Install a full build (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg-full) ` +
        `and set GAKUEN_FFMPEG to where it is.`,
    );
}
