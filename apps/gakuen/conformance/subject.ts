import { PipelineError } from "@gakuen/contracts";
import type { Tools } from "@gakuen/ffmpeg";
import type { Config } from "@gakuen/platform";

/** The implementation under test, and what the kit was told of it. */
export interface Subject {
  /** Its address; of an encoder, the address at which it looks for Kaikeishi: the kit listens there. */
  readonly url: string;
  readonly config: Config;
  /** Its store, only where it was given: without it objects are not looked at. */
  readonly storeUrl: string | undefined;
  /** The GAKUEN_SECRET that it was started with. */
  readonly secret: string | undefined;
  /** Shoki: a title that is ready; without it the newest one. */
  readonly title: string | undefined;
  /** Otetsudai: the encoder's process, to be told to stop at the end. */
  readonly pid: number | undefined;
  /** The kit's own ffmpeg. */
  tools(): Promise<Tools>;
}

/** A setting that a kit cannot do without. Errors: `config.invalid`. */
export function demandSetting(value: string | undefined, option: string, why: string): string {
  if (value !== undefined) return value;
  throw new PipelineError("config.invalid", `${why}: give ${option}`);
}
