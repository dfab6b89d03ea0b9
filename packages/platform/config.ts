import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PipelineError } from "@gakuen/contracts";
import { z } from "zod";
import { keepSecret, MIN_SECRET_CHARACTERS } from "./secret.ts";
import { type Setting, type SettingName, settings } from "./settings.ts";

/** Each message below says what is allowed and ends the sentence "it must be …". */

function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `a whole number from ${min} to ${max}`,
    })
    .transform(Number);
}

function url(protocols: readonly string[], allowed: string): z.ZodType<string, string> {
  return z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: allowed,
  });
}

/** The URL of an HTTP service, without the slash at its end so that paths can be put behind it. */
const serviceUrl = url(["http:", "https:"], "a URL that begins with http:// or https://").transform((text) =>
  text.replace(/\/+$/, ""),
);
const databaseUrl = url(["postgres:", "postgresql:"], "a URL that begins with postgres://");
const queueUrl = url(
  ["postgres:", "postgresql:", "redis:", "rediss:", "valkey:", "valkeys:"],
  "a URL that begins with postgres://, redis:// or rediss://",
);
const words = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

const isUrl = (place: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(place);
/** A comma inside a place is written %2C in a URL. */
const isWatchable = (place: string): boolean =>
  isUrl(place) ? URL.canParse(place) && ["file:", "s3:"].includes(new URL(place).protocol) : !place.includes("\0");
const absolute = (place: string): string => (isUrl(place) ? place : resolve(place));

const Values = z.object({
  dataDir: z
    .string()
    .default("./data")
    .transform((path) => resolve(path)),
  databaseUrl: databaseUrl.optional(),
  queueUrl: queueUrl.optional(),
  storeUrl: z
    .string()
    .refine((text) => URL.canParse(text), "a URL, for instance file:///srv/media")
    .optional(),
  replicaUrl: z
    .string()
    .refine((text) => URL.canParse(text), "a URL, for instance s3://bucket/prefix?endpoint=https://host")
    .optional(),
  watch: z
    .string()
    .default("")
    .transform((text) => text.split(",").flatMap((place) => place.trim() || []))
    .refine((places) => places.every(isWatchable), "folders and s3:// URLs with commas between them")
    .transform((places): readonly string[] => places.map(absolute)),
  host: z.string().default("127.0.0.1"),
  port: wholeNumber(0, 65_535).optional(),
  secret: z.string().min(MIN_SECRET_CHARACTERS, `at least ${MIN_SECRET_CHARACTERS} characters long`).optional(),
  slots: wholeNumber(1, 1024).default(() => availableParallelism()),
  logLevel: words(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  logFormat: words(["pretty", "json"]).default("pretty"),
  kaichouUrl: serviceUrl.default("http://127.0.0.1:8081"),
  kaichouOwnUrl: serviceUrl.optional(),
  kaikeishiUrl: serviceUrl.default("http://127.0.0.1:8082"),
  shokiUrl: serviceUrl.default("http://127.0.0.1:8083"),
  ffmpeg: z.string().default("ffmpeg"),
  ffprobe: z.string().default("ffprobe"),
  publicUrl: serviceUrl.optional(),
} satisfies Record<SettingName, z.ZodType>);

type Values = z.infer<typeof Values>;

/** Where the front door listens when nobody says. */
export const FRONT_DOOR_PORT = 8080;

/** What a process of Gakuen was told, complete and checked. */
export interface Config
  extends Readonly<Omit<Values, "databaseUrl" | "queueUrl" | "publicUrl" | "port" | "replicaUrl" | "kaichouOwnUrl">> {
  /** undefined: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** undefined: the embedded PostgreSQL, as for `databaseUrl`. */
  readonly queueUrl: string | undefined;
  readonly publicUrl: string | undefined;
  /** undefined: the front door's own port, or that of the service's own URL. */
  readonly port: number | undefined;
  readonly storeUrl: string;
  /** undefined: no second store. */
  readonly replicaUrl: string | undefined;
  /** As others reach this very Kaichou. */
  readonly kaichouOwnUrl: string;
  /**
   * Made and written to `{dataDir}/secret` when it is first asked for and none was given, so that a process that
   * never signs (an encoder) needs no data folder. Errors when asked for: `config.invalid`.
   */
  readonly secret: string;
}

export interface ConfigSources {
  readonly env: NodeJS.ProcessEnv;
  /** Options of the command line by their setting's name; what is undefined was not given. */
  readonly flags?: Partial<Record<SettingName, string | number | undefined>>;
}

interface Given {
  readonly value: string;
  /** The variable or option it came from. */
  readonly from: string;
}

function givenOf(sources: ConfigSources, name: SettingName): Given | undefined {
  const { flag, env } = settings[name];
  const candidates = [
    { value: sources.flags?.[name], from: flag },
    { value: sources.env[env], from: env },
  ];
  for (const { value, from } of candidates) {
    // Compose files and unit files set variables to nothing where they mean "not set".
    if (value !== undefined && String(value).trim() !== "") return { value: String(value).trim(), from };
  }
  return undefined;
}

function complain(name: SettingName, given: Given | undefined, allowed: string): string {
  const setting: Setting = settings[name];
  const shown = setting.secret === true ? "has a value that does not do" : `is ${JSON.stringify(given?.value ?? "")}`;
  return `${given?.from ?? setting.env} ${shown}; it must be ${allowed}`;
}

/**
 * The configuration that flags, environment and defaults make together, in this order of precedence; an empty string
 * counts as not given. Errors: `config.invalid`, naming every wrong variable or option, its value (unless it is
 * secret) and what is allowed.
 */
export function loadConfig(sources: ConfigSources): Config {
  const names = Object.keys(settings) as SettingName[];
  const given = new Map(names.map((name) => [name, givenOf(sources, name)]));
  const parsed = Values.safeParse(Object.fromEntries([...given].map(([name, found]) => [name, found?.value])));
  if (!parsed.success) {
    const complaints = parsed.error.issues.map((issue) => {
      const name = issue.path[0] as SettingName;
      return complain(name, given.get(name), issue.message);
    });
    throw new PipelineError("config.invalid", complaints.join("\n"));
  }
  const { secret, ...values } = parsed.data;
  let kept = secret;
  return {
    ...values,
    databaseUrl: values.databaseUrl,
    queueUrl: values.queueUrl ?? values.databaseUrl,
    publicUrl: values.publicUrl,
    replicaUrl: values.replicaUrl,
    kaichouOwnUrl: values.kaichouOwnUrl ?? values.kaichouUrl,
    port: values.port,
    storeUrl: values.storeUrl ?? pathToFileURL(join(values.dataDir, "store")).href,
    get secret() {
      kept ??= keepSecret(values.dataDir);
      return kept;
    },
  };
}
