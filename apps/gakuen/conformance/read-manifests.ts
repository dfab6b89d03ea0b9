import { demand } from "./report.ts";

/** A track as a manifest tells of it; addresses are absolute. */
export interface ToldTrack {
  readonly id: string;
  readonly codecs: string;
  /** Of each segment in seconds, from the title's start. */
  readonly starts: readonly number[];
  readonly init: string;
  readonly segments: readonly string[];
}

type Attributes = Readonly<Record<string, string>>;

interface Template {
  readonly attributes: Attributes;
  readonly runs: Attributes[];
}

/**
 * The tracks of an MPD of one period with segment timelines (ISO/IEC 23009-1 §5.3.9), `$Number$` or `$Time$`; a template
 * of an AdaptationSet holds for its Representations. Throws what is wrong.
 */
export function readMpd(text: string, url: string): ToldTrack[] {
  const elements = [...text.matchAll(/<(\/?)([A-Za-z:]+)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>/g)];
  demand(
    elements.some(([, , name]) => name === "MPD"),
    "this is no MPD",
  );
  const tracks: ToldTrack[] = [];
  let shared: Template | undefined;
  let own: Template | undefined;
  let representation: Attributes | undefined;
  const finish = (): void => {
    if (representation) tracks.push(expand(representation, own ?? shared, url));
    representation = own = undefined;
  };
  for (const [, closing, name, attributeText = "", selfClosing] of elements) {
    const attributes = Object.fromEntries(
      [...attributeText.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
    );
    if (closing) {
      if (name === "Representation") finish();
      if (name === "AdaptationSet") shared = undefined;
    } else if (name === "Representation") {
      representation = attributes;
      if (selfClosing) finish();
    } else if (name === "SegmentTemplate") {
      const template: Template = { attributes, runs: [] };
      if (representation) own = template;
      else shared = template;
    } else if (name === "S") (own ?? shared)?.runs.push(attributes);
  }
  return tracks;
}

function expand(representation: Attributes, template: Template | undefined, url: string): ToldTrack {
  const { id = "", codecs = "" } = representation;
  demand(template !== undefined, `Representation ${id} has no SegmentTemplate`);
  const { timescale = "1", initialization = "", media = "", startNumber = "1" } = template.attributes;
  const at = (pattern: string, values: Attributes): string =>
    new URL(
      pattern.replaceAll(/\$(\w+)\$/g, (whole, name: string) => values[name] ?? whole),
      url,
    ).href;
  const starts: number[] = [];
  const segments: string[] = [];
  let time = 0;
  for (const { t, d = "0", r = "0" } of template.runs) {
    time = t === undefined ? time : Number(t);
    demand(Number(r) >= 0 && Number(d) > 0, `Representation ${id} has an S without a length or an open end`);
    for (let repeat = 0; repeat <= Number(r); repeat++) {
      const number = String(Number(startNumber) + segments.length);
      segments.push(at(media, { RepresentationID: id, Number: number, Time: String(time) }));
      starts.push(time / Number(timescale));
      time += Number(d);
    }
  }
  return { id, codecs, starts, init: at(initialization, { RepresentationID: id }), segments };
}

/** The media playlists that a multivariant playlist names (RFC 8216 §4.3.4). */
export function readMasterPlaylist(text: string, url: string): string[] {
  demand(text.startsWith("#EXTM3U"), "this is no playlist");
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const variants = lines.filter((_, index) => lines[index - 1]?.startsWith("#EXT-X-STREAM-INF:"));
  const renditions = lines.flatMap((line) => /^#EXT-X-MEDIA:.*URI="([^"]+)"/.exec(line)?.[1] ?? []);
  demand(variants.length > 0, "it has no variant");
  return [...variants, ...renditions].map((uri) => new URL(uri, url).href);
}

/** A closed media playlist of fragmented MP4 (RFC 8216 §4.3.3). Throws what is wrong. */
export function readMediaPlaylist(text: string, url: string): Pick<ToldTrack, "starts" | "init" | "segments"> {
  demand(text.startsWith("#EXTM3U"), "this is no playlist");
  demand(text.includes("\n#EXT-X-ENDLIST"), "it is not closed (EXT-X-ENDLIST)");
  const target = Number(/#EXT-X-TARGETDURATION:(\d+)/.exec(text)?.[1]);
  const map = /#EXT-X-MAP:.*URI="([^"]+)"/.exec(text)?.[1];
  demand(map !== undefined, "it names no init segment (EXT-X-MAP)");
  const starts: number[] = [];
  const segments: string[] = [];
  let time = 0;
  for (const [, duration = "", uri = ""] of text.matchAll(/#EXTINF:([\d.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)/g)) {
    demand(Math.round(Number(duration)) <= target, `a segment of ${duration} s is longer than the target ${target}`);
    starts.push(time);
    segments.push(new URL(uri, url).href);
    time += Number(duration);
  }
  return { starts, segments, init: new URL(map, url).href };
}
