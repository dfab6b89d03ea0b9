// What the tests use of two parsers that carry no types.

declare module "mpd-parser" {
  interface ParsedPlaylist {
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly endList: boolean;
    readonly segments: readonly {
      readonly uri: string;
      readonly resolvedUri: string;
      readonly duration: number;
      readonly presentationTime: number;
      readonly map: { readonly resolvedUri: string };
    }[];
  }
  interface ParsedMpd {
    readonly duration: number;
    readonly playlists: readonly ParsedPlaylist[];
    readonly mediaGroups: {
      readonly AUDIO: Readonly<
        Record<
          string,
          Readonly<
            Record<
              string,
              { readonly language: string; readonly default: boolean; readonly playlists: readonly ParsedPlaylist[] }
            >
          >
        >
      >;
    };
  }
  export function parse(mpd: string, options: { readonly manifestUri: string }): ParsedMpd;
}

declare module "m3u8-parser" {
  interface ParsedM3u8 {
    readonly version: number;
    readonly endList?: boolean;
    readonly playlistType?: string;
    readonly targetDuration?: number;
    readonly independentSegments?: boolean;
    readonly segments: readonly {
      readonly uri: string;
      readonly duration: number;
      readonly map?: { readonly uri: string };
    }[];
    readonly playlists?: readonly { readonly uri: string; readonly attributes: Readonly<Record<string, unknown>> }[];
    readonly mediaGroups?: {
      readonly AUDIO: Readonly<
        Record<
          string,
          Readonly<
            Record<
              string,
              {
                readonly default: boolean;
                readonly autoselect: boolean;
                readonly language?: string;
                readonly uri?: string;
              }
            >
          >
        >
      >;
    };
  }
  export class Parser {
    readonly manifest: ParsedM3u8;
    push(text: string): void;
    end(): void;
  }
}
