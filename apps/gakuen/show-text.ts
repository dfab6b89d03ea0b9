import { type Inspection, type Plan, type PlanId, segmentCount, type TitleView } from "@gakuen/contracts";

/** What the command line says to people. Programs use --json. */

export function titleLine(title: TitleView): string {
  const share = title.state === "encoding" ? `${Math.floor(title.progress * 100)} %` : "";
  return [title.id.padEnd(32), title.state.padEnd(10), share.padStart(5), title.name].join("  ");
}

export function titleText(title: TitleView, address: (path: string) => string): string {
  return lines([
    ["name", title.name],
    ["state", title.state + (title.state === "encoding" ? ` (${Math.floor(title.progress * 100)} %)` : "")],
    ["error", title.error ? `${title.error.message} [${title.error.code}]` : undefined],
    ["source", title.source],
    ["duration", title.duration === null ? undefined : `${title.duration.toFixed(3)} s`],
    ["plan", title.plan ?? undefined],
    ["watch", address(title.links.watch)],
    ["dash", address(title.links.dash)],
    ["hls", address(title.links.hls)],
    ...title.tracks.map((track): [string, string] => [track.id, `${track.label}, ${track.codec}`]),
  ]);
}

export function inspectionText({ video, audio, ...source }: Inspection): string {
  return lines([
    ["container", source.container],
    ["size", `${source.bytes} bytes`],
    ["duration", `${source.duration.toFixed(3)} s`],
    ["fingerprint", source.fingerprint],
    ...(video
      ? ([
          ["video", `${video.codec}, ${video.pixelFormat}, ${video.bitDepth} bit, stream ${video.stream}`],
          ["picture", `${video.width}×${video.height} coded, shown as ${video.displayWidth}×${video.displayHeight}`],
          [
            "frames",
            `${video.frames} at ${video.frameRate.num}/${video.frameRate.den} fps, ${video.timing}, ${video.interlacing}`,
          ],
          ["times", `first frame at ${video.start.toFixed(6)} s, end at ${video.end.toFixed(6)} s`],
          ["key frames", video.keyframes.length > 0 ? String(video.keyframes.length) : "no index"],
          [
            "colour",
            `${video.colour.primaries}/${video.colour.transfer}/${video.colour.matrix}, ${video.colour.range}${video.colour.assumed ? " (assumed)" : ""}`,
          ],
        ] satisfies [string, string][])
      : []),
    ...audio.map((track): [string, string] => [
      `audio ${track.stream}`,
      `${track.codec}, ${track.channelLayout}, ${track.sampleRate} Hz, ${track.language}, from ${track.start.toFixed(6)} s`,
    ]),
    ...source.warnings.map((warning): [string, string] => ["note", warning]),
  ]);
}

export function planText(plan: Plan, id: PlanId): string {
  const head = lines([
    ["plan", id],
    ["duration", `${(plan.duration.ticks / plan.duration.timescale).toFixed(3)} s`],
    ["source", plan.fingerprint],
  ]);
  const tracks = plan.tracks.map(
    (track) =>
      `  ${track.id.padEnd(6)} ${track.codec.padEnd(12)} ${segmentCount(track)} segments, at most ${Math.round(track.bandwidth / 1000)} kbit/s` +
      (track.kind === "video" ? `, ${track.width}×${track.height}, crf ${track.encoder.crf}` : `, ${track.label}`),
  );
  const chunks = plan.chunks.map((chunk) => {
    const span =
      chunk.kind === "video"
        ? `frames ${chunk.startFrame}–${chunk.endFrame - 1}`
        : `packets ${chunk.startPacket}–${chunk.endPacket - 1}`;
    const seek = chunk.seek.mode === "start" ? "from the start" : `read from ${chunk.seek.seconds} s`;
    return `  ${chunk.id.padEnd(8)} ${span}, segments ${chunk.firstSegment}–${chunk.firstSegment + chunk.segments - 1}, ${seek}: ${chunk.tracks.join(" ")}`;
  });
  const decisions = plan.decisions.map(
    (decision) => `  ${decision.about}: ${decision.choice}\n      because ${decision.because}`,
  );
  return `${head}\nTracks\n${tracks.join("\n")}\n\nChunks\n${chunks.join("\n")}\n\nDecisions\n${decisions.join("\n")}\n`;
}

function lines(rows: readonly (readonly [string, string | undefined])[]): string {
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(12)} ${value}\n`)
    .join("");
}
