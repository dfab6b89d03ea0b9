import type { EncodeJob, Picture, VideoTrack } from "@gakuen/contracts";

type VideoJob = Extract<EncodeJob, { kind: "video" }>;

/** How many frames the last chunk may be short of: rounding at the title's end, never a source that was cut off. */
const PADDED_FRAMES = 2;

/**
 * The filter graph of a video chunk: stream → grid frames [startFrame, endFrame) → one output `[vN]` per track.
 * Each rung is scaled from the next larger one.
 */
export function pictureFilters(job: VideoJob): string {
  const order = job.tracks
    .map((track, index) => ({ track, output: `v${index}` }))
    .toSorted((a, b) => b.track.width * b.track.height - a.track.width * a.track.height);
  const [largest, ...smaller] = order;
  if (largest === undefined) throw new RangeError("a video chunk makes at least one track");
  const base = [...gridFilters(job), ...sizeFilters(job.picture, largest.track)];
  const links: string[] = [];
  let source = `[0:${job.picture.stream}]${base.join(",")}`;
  let output = largest.output;
  for (const [index, next] of smaller.entries()) {
    links.push(`${source},split=2[${output}][c${index}]`);
    source = `[c${index}]${scaleTo(next.track)},setsar=1`;
    output = next.output;
  }
  links.push(`${source}[${output}]`);
  return links.join(";");
}

/** Frames of the source → frames of the grid, numbered from the title's zero, cut to the chunk, times from zero. */
function gridFilters({ picture, chunk, originMicroseconds }: VideoJob): readonly string[] {
  const { num, den } = picture.frameRate;
  const isLast = chunk.endFrame === picture.frames;
  // From the very start the first frame is also shown before its time; elsewhere the seek brings an earlier frame.
  const fromZero = chunk.seek.mode === "start" ? ":start_time=0" : "";
  return [
    ...(picture.deinterlace ? ["bwdif=mode=send_frame"] : []),
    // setpts rounds towards zero in the source's clock, which may be too coarse for the origin; in µs both are whole.
    "settb=AVTB",
    ...(originMicroseconds === 0 ? [] : [`setpts=PTS-(${originMicroseconds})`]),
    `fps=${num}/${den}:round=near:eof_action=pass${fromZero}`,
    ...(isLast ? [`tpad=stop_mode=clone:stop=${PADDED_FRAMES}`] : []),
    `trim=start_pts=${chunk.startFrame}:end_pts=${chunk.endFrame}`,
    `setpts=PTS-(${chunk.startFrame})`,
  ];
}

/** To the largest rung's size and the output's colour. */
function sizeFilters(picture: Picture, largest: VideoTrack): readonly string[] {
  const from = picture.sourceColour;
  const to = picture.colour;
  const tagSource = `setparams=${tags(from)}`;
  const tagOutput = ["format=yuv420p", `setparams=field_mode=prog:${tags(to)}`, "setsar=1"];
  const size = `w=${largest.width}:h=${largest.height}:filter=bicubic`;
  if (picture.toneMap !== null)
    return [
      tagSource,
      // Linear light in floats costs the most, so it happens at the output's size; 100 cd/m² is SDR's white.
      `zscale=${size}`,
      "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709",
      "tonemap=tonemap=hable:desat=0",
      `zscale=transfer=bt709:matrix=bt709:range=${to.range}`,
      ...tagOutput,
    ];
  if (from.primaries !== to.primaries || from.transfer !== to.transfer || from.matrix !== to.matrix) {
    const target = `primaries=${to.primaries}:transfer=${to.transfer}:matrix=${to.matrix}:range=${to.range}`;
    return [tagSource, `zscale=${size}:${target}`, ...tagOutput];
  }
  const range = from.range === to.range ? "" : `:in_range=${from.range}:out_range=${to.range}`;
  return [tagSource, `${scaleTo(largest)}${range}`, ...tagOutput];
}

const scaleTo = (track: VideoTrack): string => `scale=${track.width}:${track.height}:flags=bicubic`;

function tags(colour: Picture["colour"]): string {
  return `range=${colour.range}:color_primaries=${colour.primaries}:color_trc=${colour.transfer}:colorspace=${colour.matrix}`;
}
