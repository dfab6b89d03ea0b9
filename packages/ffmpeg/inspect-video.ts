import { type InspectedVideo, PipelineError } from "@gakuen/contracts";
import { classifyTiming, type FrameTimes } from "./frame-timing.ts";
import { measureInterlacing } from "./interlace.ts";
import { scanPackets } from "./packet-scan.ts";
import type { ProbedStream } from "./probe.ts";
import { sourceColour } from "./source-colour.ts";
import { sampleTimes } from "./sampled-times.ts";
import type { StreamQuestion } from "./stream-question.ts";

/** Measures one video stream. Errors: `source.zero-duration` when it has no frame; those of the probes. */
export async function inspectVideo(question: StreamQuestion): Promise<{ video: InspectedVideo; warnings: string[] }> {
  const { address, stream, tools, signal, containerStart } = question;
  const { width = 0, height = 0 } = stream;
  if (width === 0 || height === 0)
    throw new PipelineError(
      "source.unsupported-codec",
      `video stream ${stream.index} has no picture size: it cannot be decoded`,
    );
  const [frames, interlace] = await Promise.all([
    frameTimes(question),
    measureInterlacing(address, { stream: stream.index, windows: windowsOf(question), tools, signal }),
  ]);
  const { times, tick } = frames;
  const first = times[0];
  const last = times.at(-1);
  if (first === undefined || last === undefined)
    throw new PipelineError("source.zero-duration", `video stream ${stream.index} has no frames`);
  const seconds = (ticks: number): number => (ticks * tick.num) / tick.den - containerStart;
  const timing = classifyTiming(frames, [stream.r_frame_rate, stream.avg_frame_rate]);
  const colour = sourceColour(stream, width, height);
  const shape = displayShape(stream, width, height);
  const video: InspectedVideo = {
    stream: stream.index,
    codec: stream.codec_name ?? "unknown",
    width,
    height,
    ...shape,
    pixelFormat: stream.pix_fmt ?? "unknown",
    bitDepth: bitDepth(stream.pix_fmt),
    colour,
    frames: times.length,
    frameRate: timing.frameRate,
    timing: timing.timing,
    start: seconds(first),
    end: seconds(last) + timing.lastSeconds,
    interlacing: interlace.interlacing,
    keyframes: question.seekable ? Array.from(frames.keyframes, seconds) : [],
    bitrate: stream.bit_rate,
  };
  return { video, warnings: warningsOf(video, interlace.judged, frames.isSampled === true) };
}

function warningsOf(video: InspectedVideo, judged: number, isSampled: boolean): string[] {
  const { num, den } = video.frameRate;
  const average = (video.frames / (video.end - video.start)).toFixed(3);
  return [
    ...(video.timing === "variable"
      ? [
          `the frame rate varies (${average} frames per second on average); frames are brought onto a grid of ` +
            `${num}/${den}, the standard rate nearest to their usual duration that is not below the average and not above 60`,
        ]
      : []),
    ...(video.colour.assumed
      ? [`the video does not say its colour completely; ${video.colour.matrix} is assumed from its size`]
      : []),
    ...(isSampled
      ? ["only the beginning and the end were read to count the frames, as it is far away and has no index of frames"]
      : []),
    ...(judged === 0 ? ["no frame could be judged for interlacing; progressive is assumed"] : []),
  ];
}

/** `isSampled`: only the ends were read, and there is no list of key frames. */
type IndexedTimes = FrameTimes & { readonly keyframes: Float64Array; readonly isSampled?: boolean };

async function frameTimes(question: StreamQuestion): Promise<IndexedTimes> {
  const { address, stream, index, tools, signal } = question;
  const track = index?.tracks.find((one) => one.stream === stream.index && one.handler === "vide");
  if (track !== undefined && track.presentationTimes.length > 0) {
    const { presentationTimes: times, keyframes, lastDuration } = track;
    return { times, keyframes, lastDuration, tick: { num: 1, den: track.timescale } };
  }
  const tick = stream.time_base ?? { num: 1, den: 1000 };
  const { seekable, containerStart, containerDuration } = question;
  if (address.kind === "http" && seekable && containerDuration !== null) {
    const declared = [stream.r_frame_rate, stream.avg_frame_rate];
    const where = { address, stream: stream.index, containerStart, containerDuration };
    const sampled = await sampleTimes({ ...where, declared, tick, tools, signal });
    if (sampled !== null) return { ...sampled, keyframes: new Float64Array(), isSampled: true };
  }
  const scan = await scanPackets(address, stream.index, { tools, signal });
  return { ...scan, tick };
}

/** The start often has black or a still logo, so the middle and a place near the end are looked at too. */
function windowsOf({ seekable, containerDuration }: StreamQuestion): readonly number[] {
  if (!seekable || containerDuration === null || containerDuration < 4) return [0];
  return [0, containerDuration * 0.5, containerDuration * 0.9];
}

function displayShape(
  stream: ProbedStream,
  width: number,
  height: number,
): Pick<InspectedVideo, "sampleAspectRatio" | "rotation" | "displayWidth" | "displayHeight"> {
  const sampleAspectRatio = stream.sample_aspect_ratio ?? { num: 1, den: 1 };
  const matrix = stream.side_data_list.find((data) => data.rotation !== undefined);
  // ffprobe counts counterclockwise.
  const rotation = ((((Math.round(-(matrix?.rotation ?? 0) / 90) * 90) % 360) + 360) % 360) + 0;
  const aspect = sampleAspectRatio.num / sampleAspectRatio.den;
  // Stretched, never shrunk, so that no detail of the other direction is lost.
  const wide = Math.round(width * Math.max(1, aspect));
  const high = Math.round(height / Math.min(1, aspect));
  const turned = rotation % 180 !== 0;
  return {
    sampleAspectRatio,
    rotation,
    displayWidth: turned ? high : wide,
    displayHeight: turned ? wide : high,
  };
}

/** Bits per component, from the name of the pixel format: yuv420p10le, p010le, gbrp12be. */
function bitDepth(pixelFormat = ""): number {
  const depth = /(?:p|gray|p0|y2)(9|10|12|14|16)(?:le|be)?$/.exec(pixelFormat)?.[1];
  return depth === undefined ? 8 : Number(depth);
}
