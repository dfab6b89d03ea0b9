import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A whole number of AAC packets: hls.js never ends a stream of ffmpeg's muxer whose sound ends inside of one. */
export const SECONDS = 8;
export const FRAME_RATE = 24;
export const MPD = "stream.mpd";
export const MASTER = "master.m3u8";

export interface SampleStream extends AsyncDisposable {
  readonly folder: string;
  /** Another copy, to be broken. */
  copy(): Promise<SampleStream>;
}

/**
 * Eight seconds in four segments, as ffmpeg's own DASH muxer packages them: two rungs of a white flash (two frames) at
 * each whole second on moving grey, and a 1 kHz beep of 50 ms that begins with each flash, or `beepDelay` seconds later.
 */
export async function makeSampleStream({ beepDelay = 0, loudness = 0.5 } = {}): Promise<SampleStream> {
  const stream = await temporaryStream();
  const picture = `testsrc2=size=640x360:rate=${FRAME_RATE},hue=s=0,eq=contrast=0.4:brightness=-0.2`;
  const flash = "drawbox=color=white:t=fill:enable='lt(mod(n,24),2)'";
  await promisify(execFile)(
    "ffmpeg",
    [
      ["-hide_banner", "-nostdin", "-loglevel", "error"],
      ["-f", "lavfi", "-i", `${picture},${flash}`],
      [
        "-f",
        "lavfi",
        "-i",
        `aevalsrc='if(between(mod(t,1),${beepDelay},${beepDelay + 0.05}),${loudness}*sin(2*PI*1000*t),0)':s=48000:c=stereo`,
      ],
      ["-filter_complex", "[0:v]split[a][b];[b]scale=320:180[low]"],
      ["-map", "[low]", "-map", "[a]", "-map", "1:a", "-t", `${SECONDS}`],
      ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"],
      ["-g", "48", "-keyint_min", "48", "-sc_threshold", "0", "-b:v:0", "200k", "-b:v:1", "1500k"],
      ["-c:a", "aac", "-b:a", "96k"],
      ["-f", "dash", "-seg_duration", "2", "-use_template", "1", "-use_timeline", "1", "-hls_playlist", "1"],
      ["-adaptation_sets", "id=0,streams=v id=1,streams=a", join(stream.folder, MPD)],
    ].flat(),
    { timeout: 60_000 },
  );
  return stream;
}

async function temporaryStream(): Promise<SampleStream> {
  const folder = await mkdtemp(join(tmpdir(), "gakuen-players-"));
  return {
    folder,
    async copy() {
      const other = await temporaryStream();
      await cp(folder, other.folder, { recursive: true });
      return other;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
