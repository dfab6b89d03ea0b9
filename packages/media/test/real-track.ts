import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFile, MP4BoxBuffer } from "mp4box";
import { type CmafPart, splitCmaf } from "../cmaf-splitter.ts";

/** Makes real tracks for tests, and reads them with implementations that are not ours. */

/** The parts that ffmpeg writes to its standard output, split while it runs; `args` is split at spaces. */
export async function* encode(args: string): AsyncGenerator<CmafPart> {
  const all = `-hide_banner -nostdin -loglevel error ${args} -f mp4 -flush_packets 1 pipe:1`.split(" ");
  const child = spawn("ffmpeg", all, { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  try {
    yield* splitCmaf(child.stdout, { maxPartBytes: 64 * 1024 * 1024 });
    const [code] = await exit;
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
  } finally {
    child.kill();
  }
}

interface Probed {
  readonly packets: readonly { readonly pts: number; readonly dts: number; readonly data_hash: string }[];
  readonly streams: readonly { readonly nb_read_frames: string }[];
}

/** Packets and the number of decoded frames, by ffprobe; its warnings are failures. */
export async function probe(parts: readonly CmafPart[]): Promise<Probed> {
  const folder = await mkdtemp(join(tmpdir(), "gakuen-track-"));
  try {
    const path = join(folder, "track.mp4");
    await writeFile(path, joined(parts));
    const entries = "packet=pts,dts,data_hash:stream=nb_read_frames";
    const args = `-v warning -count_frames -show_data_hash sha256 -show_entries ${entries} -of json`.split(" ");
    const { stdout, stderr } = await promisify(execFile)("ffprobe", [...args, path], { maxBuffer: 64 * 1024 * 1024 });
    if (stderr !== "") throw new Error(stderr);
    return JSON.parse(stdout) as Probed;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What mp4box reads: the movie's description and the samples of its first track. */
export function readWithMp4box(parts: readonly CmafPart[]) {
  const file = createFile();
  file.onError = (module, message) => {
    throw new Error(`${module}: ${message}`);
  };
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(joined(parts)).buffer, 0));
  file.flush();
  const { tracks } = file.getInfo();
  const [track] = tracks;
  if (track === undefined) throw new Error("mp4box sees no track");
  return { track, samples: file.getTrackSamplesInfo(track.id) };
}

export function joined(parts: readonly CmafPart[]): Buffer {
  return Buffer.concat(parts.map((part) => part.bytes));
}
