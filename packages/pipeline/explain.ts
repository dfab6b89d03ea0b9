import type { Decision, Inspection, Picture, Plan, PlanSettings } from "@gakuen/contracts";

/** The reasons behind a plan, in the order in which a person would ask for them. */
export function explain(
  inspection: Inspection,
  settings: PlanSettings,
  plan: Omit<Plan, "decisions" | "version">,
): Decision[] {
  const decisions: Decision[] = [];
  const say = (about: string, choice: string, because: string): void => {
    decisions.push({ about, choice, because });
  };
  const { video } = inspection;
  const { picture } = plan;

  if (video && picture) {
    const { num, den } = picture.frameRate;
    say(
      "frame grid",
      `${picture.frames} frames at ${num}/${den} fps`,
      video.timing === "constant"
        ? `every frame of the source lies on this grid, from ${video.start.toFixed(3)} s`
        : "the source's frame times vary; players and segment boundaries need a constant rate, so frames are repeated or dropped to fit",
    );
    say(
      "segments",
      `${picture.framesPerSegment} frames (${((picture.framesPerSegment * den) / num).toFixed(3)} s)`,
      `the whole number of frames nearest to ${settings.segmentSeconds} s; all renditions cut at the same frames`,
    );
    say(
      "size",
      `${video.displayWidth}×${video.displayHeight}`,
      `${video.width}×${video.height} coded, turned by ${video.rotation}°, sample aspect ratio ${video.sampleAspectRatio.num}:${video.sampleAspectRatio.den}`,
    );
    const tracks = plan.tracks.filter((track) => track.kind === "video");
    say(
      "ladder",
      tracks.map((track) => `${track.id} ${track.width}×${track.height}`).join(", "),
      settings.rungs
        ? "the heights that were asked for, none larger than the source"
        : "the standard heights that do not enlarge the source",
    );
    for (const track of tracks)
      say(
        `rate of ${track.id}`,
        `crf ${track.encoder.crf}, at most ${Math.round(track.encoder.maxrate / 1000)} kbit/s, level ${(track.encoder.level / 10).toFixed(1)}`,
        "constant quality, capped for the picture's size and rate; the lowest level whose limits (ITU-T H.264, Table A-1) hold that",
      );
    say(
      "interlacing",
      picture.deinterlace ? "deinterlaced (bwdif)" : "left as it is",
      `measured: ${video.interlacing}`,
    );
    say(
      "colour",
      `${picture.colour.primaries}/${picture.colour.transfer}/${picture.colour.matrix}`,
      colourReason(inspection, picture),
    );
  }
  for (const track of plan.tracks)
    if (track.kind === "audio") {
      const source = inspection.audio.find((candidate) => candidate.stream === track.stream);
      say(
        `audio ${track.id}`,
        `AAC-LC ${track.encoder.channelLayout}, ${track.encoder.bitrate / 1000} kbit/s, ${track.encoder.sampleRate} Hz`,
        `from stream ${track.stream}: ${source?.codec}, ${source?.channelLayout}, ${source?.sampleRate} Hz, language ${track.language}`,
      );
    }
  say("chunks", `${plan.chunks.length}`, chunkReason(inspection));
  for (const warning of inspection.warnings) say("note", "kept going", warning);
  return decisions;
}

function colourReason(inspection: Inspection, { toneMap, colour, sourceColour }: Picture): string {
  if (toneMap !== null) return `the source is HDR (${toneMap}); H.264 renditions are SDR, so it is tone mapped`;
  const { primaries, transfer, matrix } = sourceColour;
  if (primaries !== colour.primaries || transfer !== colour.transfer || matrix !== colour.matrix)
    return `converted from ${primaries}/${transfer}/${matrix}, which few players show right`;
  return inspection.video?.colour.assumed ? "the source does not say; assumed from its size" : "as the source says";
}

function chunkReason(inspection: Inspection): string {
  if (!inspection.seekable)
    return `${inspection.container} cannot be sought exactly, so it is read once from its start`;
  if (inspection.video && inspection.video.keyframes.length > 0)
    return "the first is one segment, so that playback starts at once; the others are 10 to 20 s and begin where the source's key frames leave least to decode";
  return "the first is one segment, so that playback starts at once; the others are 10 to 20 s";
}
