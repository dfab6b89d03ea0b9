import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlanSettings, type VideoTrack } from "@gakuen/contracts";
import { findTools, inspectSource, runProcess } from "@gakuen/ffmpeg";
import { planTitle } from "@gakuen/pipeline";
import { sample } from "../apps/gakuen/sample.ts";
import { type Cost, measureCommand, median } from "./measure-command.ts";

/**
 * What does the pipeline cost over the bare encoder? `gakuen encode` against one hand-written ffmpeg command that makes
 * the same ladder with the dash muxer, one after the other, several times, on the sample film (`--copies N`: so many times
 * in a row, to see what start and end weigh).
 */
export async function run({ runs, copies }: { runs: number; copies: number }): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const film = copies > 1 ? await repeated(copies, stack) : sample.path;
  const tools = await findTools({ ffmpeg: "ffmpeg", ffprobe: "ffprobe" });
  const inspection = await inspectSource({ kind: "file", path: film }, { tools, signal: new AbortController().signal });
  const { plan } = planTitle(inspection, PlanSettings.parse({}));
  const tracks = plan.tracks.filter((track) => track.kind === "video");
  const costs: { ours: Cost; plain: Cost; playable: Playable }[] = [];
  for (let index = 0; index < runs; index++) {
    const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
    try {
      const plain = await measureCommand(
        "ffmpeg",
        plainArgs(film, tracks, plan.picture?.framesPerSegment ?? 96, folder),
      );
      const { cost: ours, playable } = await measureGakuen(film, join(folder, "ours"), tracks.at(-1)?.id ?? "");
      costs.push({ ours, plain, playable });
      console.log(
        `run ${index + 1}: CPU ${ours.cpu.toFixed(1)} s against ${plain.cpu.toFixed(1)} s, wall ${ours.wall.toFixed(1)} s against ${plain.wall.toFixed(1)} s, playable ${playable.afterPlan.toFixed(2)} s after the plan, ${playable.afterStart.toFixed(2)} s after the command`,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const ratio = (of: (cost: Cost) => number): string =>
    median(costs.map(({ ours, plain }) => of(ours) / of(plain))).toFixed(3);
  console.log(`CPU ratio ${ratio((cost) => cost.cpu)} (aim ≤ 1.05)`);
  console.log(`wall ratio ${ratio((cost) => cost.wall)} (aim ≤ 1.05)`);
  console.log(
    `playable ${median(costs.map(({ playable }) => playable.afterPlan)).toFixed(2)} s after the start of the encode (aim ≤ 2)`,
  );
}

/** The sample several times, without encoding it anew. */
async function repeated(copies: number, stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const list = join(folder, "list.txt");
  await writeFile(list, `file '${sample.path}'\n`.repeat(copies));
  const film = join(folder, "film.mp4");
  const args = ["-v", "error", "-f", "concat", "-safe", "0", "-i", list, "-c", "copy", film];
  await runProcess("ffmpeg", args, { signal: new AbortController().signal });
  return film;
}

interface Playable {
  readonly afterStart: number;
  readonly afterPlan: number;
}

async function measureGakuen(film: string, out: string, lowest: string): Promise<{ cost: Cost; playable: Playable }> {
  const begin = performance.now();
  let planned = Number.NaN;
  let playable = Number.NaN;
  const watch = setInterval(() => {
    void firstSegmentsExist(out, lowest).then((exist) => {
      if (exist && Number.isNaN(playable)) playable = performance.now();
    });
  }, 20);
  const gakuen = join(import.meta.dirname, "../node_modules/.bin/gakuen");
  const args = [gakuen, "encode", film, "--out", out, "--log-level", "info", "--log-format", "json"];
  const cost = await measureCommand(process.execPath, args, (text) => {
    if (text.includes('"planned"') && Number.isNaN(planned)) planned = performance.now();
  });
  clearInterval(watch);
  return { cost, playable: { afterStart: (playable - begin) / 1000, afterPlan: (playable - planned) / 1000 } };
}

/** What a player begins with lies in the store under its final name, which it gets only when it is durable. */
async function firstSegmentsExist(out: string, lowest: string): Promise<boolean> {
  const titles = join(out, ".gakuen/store/titles");
  const [title] = await readdir(titles).catch(() => []);
  const [plan] = title ? await readdir(join(titles, title)).catch(() => []) : [];
  if (!title || !plan) return false;
  return [lowest, "a1"].every((track) => existsSync(join(titles, title, plan, track, "1.m4s")));
}

/** What a person would type for the same ladder: one process, automatic threads, the dash muxer. */
function plainArgs(film: string, tracks: readonly VideoTrack[], group: number, folder: string): readonly string[] {
  const labels = tracks.map((_, index) => `[s${index}]`).join("");
  const scales = tracks.map((track, index) => `[s${index}]scale=${track.width}:${track.height}[v${index}]`).join(";");
  return [
    ...["-hide_banner", "-nostdin", "-loglevel", "error", "-i", film],
    ...["-filter_complex", `[0:v]split=${tracks.length}${labels};${scales}`],
    ...tracks.flatMap((track, index) => [
      ...["-map", `[v${index}]`, `-c:v:${index}`, "libx264", `-preset:v:${index}`, track.encoder.preset],
      ...[`-crf:v:${index}`, `${track.encoder.crf}`, `-maxrate:v:${index}`, `${track.encoder.maxrate}`],
      ...[`-bufsize:v:${index}`, `${track.encoder.bufsize}`, `-profile:v:${index}`, "high"],
    ]),
    ...["-g", `${group}`, "-keyint_min", `${group}`, "-sc_threshold", "0", "-pix_fmt", "yuv420p"],
    ...["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k", "-ac", "2"],
    ...["-f", "dash", "-seg_duration", "4", "-use_template", "1", "-use_timeline", "1"],
    ...["-adaptation_sets", "id=0,streams=v id=1,streams=a", join(folder, "plain.mpd")],
  ];
}
