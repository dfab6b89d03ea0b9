import type { InspectedAudio, InspectedVideo, Inspection } from "@gakuen/contracts";

/** An inspection as a plain film has it; tests change what they are about. */
export function inspected(
  video: Partial<InspectedVideo> | null = {},
  audio: readonly Partial<InspectedAudio>[] = [{}],
): Inspection {
  const frameRate = video?.frameRate ?? { num: 24, den: 1 };
  const frames = video?.frames ?? 24 * 600;
  const start = video?.start ?? 0;
  const seconds = (frames * frameRate.den) / frameRate.num;
  return {
    fingerprint: "sha256:0",
    bytes: 1_000_000,
    container: "mov,mp4,m4a,3gp,3g2,mj2",
    seekable: true,
    duration: start + seconds,
    video: video && {
      stream: 0,
      codec: "h264",
      width: video.displayWidth ?? 1920,
      height: video.displayHeight ?? 1080,
      sampleAspectRatio: { num: 1, den: 1 },
      rotation: 0,
      displayWidth: 1920,
      displayHeight: 1080,
      pixelFormat: "yuv420p",
      bitDepth: 8,
      colour: { primaries: "bt709", transfer: "bt709", matrix: "bt709", range: "tv", assumed: false },
      frames,
      frameRate,
      timing: "constant",
      start,
      end: start + seconds,
      interlacing: "progressive",
      keyframes: Array.from({ length: Math.ceil(seconds / 5) }, (_, index) => start + index * 5),
      bitrate: 5_000_000,
      ...video,
    },
    audio: audio.map((track, index) => ({
      stream: index + 1,
      codec: "aac",
      sampleRate: 48_000,
      channels: 2,
      channelLayout: "stereo",
      language: "und",
      label: null,
      default: index === 0,
      start: 0,
      duration: start + seconds,
      end: start + seconds,
      bitrate: 128_000,
      ...track,
    })),
    warnings: [],
  };
}
