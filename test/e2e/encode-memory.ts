import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, ffmpeg, madeByFfmpeg } from "../fixtures/index.ts";

const bin = fileURLToPath(new URL("../../node_modules/.bin/gakuen", import.meta.url));
const SAMPLE_EVERY_MS = 200;

export interface NoisyFilm {
  readonly minutes: number;
  readonly size: `${number}x${number}`;
  readonly rate: number;
}

/** A film of noise, which no encoder makes small: one minute is made and repeated, so an hour takes seconds. */
export async function noisyFilm({ minutes, size, rate }: NoisyFilm): Promise<string> {
  const picture = ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=${rate}:d=60,noise=alls=40:allf=t`];
  const sound = ["-f", "lavfi", "-i", "anoisesrc=r=8000:d=60:a=0.1:seed=1"];
  const h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "38", "-g", String(rate * 2), "-pix_fmt", "yuv420p"];
  // Samples instead of packets: the sound ends with the picture, so that copies join on the frame.
  const pcm = ["-c:a", "pcm_s16le", "-ac", "2"];
  const minute = await madeByFfmpeg("noise.mov", [...picture, ...sound, ...h264, ...pcm]);
  if (minutes === 1) return minute;
  return cached(`noise-${minutes}.mov`, { minute, minutes }, (path) =>
    ffmpeg(["-stream_loop", String(minutes - 1), "-i", minute, "-map", "0", "-c", "copy", path]),
  );
}

export interface EncodeMemory {
  /** The largest resident size of the process, in MB, seen every 200 ms; without ffmpeg and PostgreSQL. */
  readonly peakMb: number;
  /** The same for each quarter of the time: what grows with the work done grows from one to the next. */
  readonly quarterPeaksMb: readonly number[];
  /** What is in use on the JavaScript heap behind a full collection, in MB: the largest of the last ten. */
  readonly liveHeapMb: number;
  /** What it made, in MB. */
  readonly mediaMb: number;
  readonly seconds: number;
}

/** Runs `gakuen encode` and watches its memory. */
export async function measureEncode(source: string, out: string, flags: readonly string[]): Promise<EncodeMemory> {
  const begin = performance.now();
  const args = ["--trace-gc", bin, "encode", source, "--out", out, ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const heaps: number[] = [];
  child.stdout.on("data", (bytes: Buffer) => {
    const collections = bytes.toString().matchAll(/Mark-Compact.*?-> ([\d.]+)/g);
    for (const [, megabytes] of collections) heaps.push(Number(megabytes));
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said = (said + bytes.toString()).slice(-4000)));
  const closed = once(child, "close") as Promise<[number | null]>;
  const samples: number[] = [];
  const timer = setInterval(() => {
    void residentMb(child.pid ?? 0).then((now) => samples.push(now));
  }, SAMPLE_EVERY_MS);
  const [code] = await closed;
  clearInterval(timer);
  if (code !== 0) throw new Error(`gakuen encode ended with ${code}:\n${said}`);
  const quarter = Math.ceil(samples.length / 4);
  const quarters = [0, 1, 2, 3].map((index) => samples.slice(index * quarter, (index + 1) * quarter));
  const quarterPeaksMb = quarters.map((values) => Math.round(Math.max(0, ...values)));
  return {
    peakMb: Math.max(...samples),
    quarterPeaksMb,
    liveHeapMb: Math.max(...heaps.slice(-10)),
    mediaMb: await sizeMb(out),
    seconds: (performance.now() - begin) / 1000,
  };
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

async function sizeMb(folder: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}
