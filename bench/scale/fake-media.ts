import { chmod, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type EncodeJob, segmentSpans } from "@gakuen/contracts";
import { runProcess, startProcess, videoArgs } from "@gakuen/ffmpeg";
import { retimeFragment, splitCmaf } from "@gakuen/media";
import { encodeMs } from "./load.ts";

export interface FakeFfmpeg extends AsyncDisposable {
  /** The executable. */
  readonly path: string;
  /** Of all tracks of the longest chunk. */
  readonly bytes: number;
  /** How long it takes for each segment of a chunk. */
  readonly segmentMs: number;
}

/** Makes what the stand-in for ffmpeg emits: one segment of every rung, encoded for real, repeated as often as a chunk has segments. */
export async function makeFakeFfmpeg(
  longest: Extract<EncodeJob, { kind: "video" }>,
  scale: number,
): Promise<FakeFfmpeg> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "gakuen-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const film = join(folder, "film.mp4");
  const signal = AbortSignal.timeout(120_000);
  const noise = "testsrc2=s=1920x1080:r=24:d=5,noise=alls=5:allf=t";
  await runProcess(
    "ffmpeg",
    ["-v", "error", "-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", film],
    { signal },
  );
  const { framesPerSegment } = longest.picture;
  const tracks = longest.tracks.map((track) => ({
    ...track,
    // About as many bytes as a film takes.
    encoder: { ...track.encoder, preset: "ultrafast", crf: track.encoder.crf + 9 },
  }));
  const chunk = { ...longest.chunk, seek: { mode: "start" as const }, startFrame: 0, endFrame: framesPerSegment };
  const child = startProcess("ffmpeg", videoArgs({ ...longest, source: { kind: "file", path: film }, chunk, tracks }), {
    signal,
    outputs: tracks.length,
  });
  const outputs = await Promise.all(child.outputs.map((output) => buffer(output)));
  let bytes = 0;
  for (const [index, track] of longest.tracks.entries()) {
    const parts = splitCmaf(Readable.from([outputs[index]]), { maxPartBytes: 2 ** 26 });
    const [init, fragment] = await Array.fromAsync(parts, (part) => Buffer.from(part.bytes));
    if (!init || !fragment) throw new Error(`ffmpeg made nothing of ${track.id}: ${child.stderrTail()}`);
    const pieces = [init];
    for (const span of segmentSpans(track)) {
      const copy = Buffer.from(fragment);
      retimeFragment(copy, { sequenceNumber: span.number, decodeTime: span.start });
      pieces.push(copy);
    }
    for (const [number, piece] of pieces.entries()) {
      await writeFile(join(folder, `${track.encoder.maxrate}-${number}.mp4`), piece);
      bytes += piece.byteLength;
    }
  }
  const segmentMs = Math.round(encodeMs(longest, scale) / longest.chunk.segments);
  await writeFile(join(folder, "seconds"), `${segmentMs / 1000}`);
  const path = join(folder, "ffmpeg");
  await copyFile(join(import.meta.dirname, "fake-ffmpeg.sh"), path);
  await chmod(path, 0o755);
  const made = stack.move();
  return { path, bytes, segmentMs, [Symbol.asyncDispose]: () => made.disposeAsync() };
}
