import type { InspectedAudio } from "@gakuen/contracts";
import { languageTag } from "./language-tag.ts";
import { scanPackets } from "./packet-scan.ts";
import type { ProbedStream } from "./probe.ts";
import type { StreamQuestion } from "./stream-question.ts";

const usualLayouts: Readonly<Record<number, string>> = {
  1: "mono",
  2: "stereo",
  3: "2.1",
  4: "quad",
  5: "5.0(side)",
  6: "5.1(side)",
  7: "6.1",
  8: "7.1",
};

interface AudioQuestion extends StreamQuestion {
  /** There is no picture: all packets may be read, they are few. */
  readonly soundOnly: boolean;
}

/** How much of a source's end is read to find its last packet of sound. */
const TAIL_SECONDS = 5;

/** What the planner needs of a sound stream, or null when it cannot be decoded. Errors: those of the probes. */
export async function inspectAudio(question: AudioQuestion): Promise<InspectedAudio | null> {
  const { stream, containerStart } = question;
  const { sample_rate: sampleRate, channels = 0, codec_name: codec } = stream;
  if (codec === undefined || sampleRate === null || sampleRate <= 0 || channels <= 0) return null;
  return {
    stream: stream.index,
    codec,
    sampleRate,
    channels,
    channelLayout: stream.channel_layout ?? usualLayouts[channels] ?? `${channels} channels`,
    language: languageTag(tag(stream, "language")),
    label: tag(stream, "title") ?? null,
    default: stream.disposition.default,
    start: (stream.start_time ?? containerStart) - containerStart,
    duration: stream.duration ?? clockTime(tag(stream, "DURATION")),
    end: await lastEnd(question),
    bitrate: stream.bit_rate ?? numberOrNull(tag(stream, "BPS")),
  };
}

/**
 * The end of the last packet, from the index or by reading the source's tail. A declared length is not believed: the
 * encoder takes sound that is missing before this end for a source that was cut off.
 */
async function lastEnd(question: AudioQuestion): Promise<number | null> {
  const { stream, index, containerStart, containerDuration, seekable, soundOnly } = question;
  const track = index?.tracks.find((one) => one.stream === stream.index && one.handler === "soun");
  const lastTime = track?.presentationTimes.at(-1);
  if (track !== undefined && lastTime !== undefined)
    return (lastTime + track.lastDuration) / track.timescale - containerStart;
  const tailStart = containerStart + (containerDuration ?? 0) - TAIL_SECONDS;
  const tail = seekable && tailStart > 0 ? await scannedEnd(question, `${tailStart}%`) : null;
  if (tail !== null) return tail;
  // Sound that ends long before the picture, or a container without an index: all packets, where they are near.
  if (question.address.kind === "http" || !(seekable || soundOnly)) return null;
  return scannedEnd(question);
}

async function scannedEnd(
  { address, stream, containerStart, tools, signal }: AudioQuestion,
  intervals?: string,
): Promise<number | null> {
  const tick = stream.time_base;
  const scanned = await scanPackets(address, stream.index, {
    tools,
    signal,
    ...(intervals === undefined ? {} : { intervals }),
  });
  const last = scanned.times.at(-1);
  if (last === undefined || tick === null) return null;
  return ((last + scanned.lastDuration) * tick.num) / tick.den - containerStart;
}

/** Tags by any spelling: Matroska writes capitals, and appends a language to some. */
function tag(stream: ProbedStream, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return Object.entries(stream.tags).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/** `00:21:04.533000000`, as Matroska writes a stream's length, in seconds. */
function clockTime(text: string | undefined): number | null {
  const parts = /^(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text ?? "");
  if (parts === null) return null;
  return Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3]);
}

function numberOrNull(text: string | undefined): number | null {
  const number = Number(text ?? Number.NaN);
  return Number.isFinite(number) ? number : null;
}
