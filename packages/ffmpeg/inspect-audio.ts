import type { InspectedAudio } from "@gakuen/contracts";
import { languageTag } from "./language-tag.ts";
import type { ProbedStream } from "./probe.ts";

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

/** What the planner needs of a sound stream, or null when it cannot be decoded. Times count from `containerStart`. */
export function inspectAudio(stream: ProbedStream, containerStart: number): InspectedAudio | null {
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
    bitrate: stream.bit_rate ?? numberOrNull(tag(stream, "BPS")),
  };
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
