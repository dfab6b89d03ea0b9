import { resolve } from "node:path";
import {
  AddTitle,
  ChangeTitle,
  type Inspection,
  PipelineError,
  type Plan,
  PlanSettings,
  TitleId,
  type TitleView,
} from "@gakuen/contracts";
import { type Config, createLog } from "@gakuen/platform";
import { type Command, InvalidArgumentError } from "commander";
import type { z } from "zod";
import { apiClient } from "./api-client.ts";
import { awaitPlan, demandGood } from "./await-plan.ts";
import { inspectionText, planText, titleLine, titleText } from "./show-text.ts";
import { showProgress } from "./show-progress.ts";

type Options = Record<string, unknown>;
type ConfigOf = (options: Options) => Config;
type UrlOf = (options: Options) => string;

const JSON_FLAG = ["--json", "write JSON, for programs"] as const;

export function encodeCommand(command: Command, configOf: ConfigOf): void {
  withPlanSettings(command)
    .argument("<source>", "a path, an http(s) URL or s3://bucket/key")
    .requiredOption("--out <folder>", "where the stream goes")
    .option(...JSON_FLAG)
    .description("encode one source into a folder that any web server can serve, then end")
    .addHelpText(
      "after",
      "\nExamples:\n  gakuen encode film.mkv --out stream\n  gakuen encode film.mkv --out stream --rungs 720,360 --preset fast\n\nInterrupted, the same command goes on where it was.",
    )
    .action(async (source: string, options: Options) => {
      const { encodeOnce, workFolder } = await import("./encode-once.ts");
      const out = resolve(String(options["out"]));
      const config = configOf({ ...options, dataDir: workFolder(out) });
      // Its screen is the progress; only trouble is logged unless more was asked for.
      const log = createLog({ level: options["logLevel"] ? config.logLevel : "error", format: config.logFormat });
      const interrupt = new AbortController();
      const onSignal = (): void => {
        if (interrupt.signal.aborted) process.exit(130);
        interrupt.abort(new PipelineError("encode.cancelled", "interrupted; run the same command again to go on"));
      };
      // Not `once`: a library that looks after its child processes ends us when it finds itself the only listener left.
      process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
      const display = showProgress({ output: process.stderr, urlOf: (path) => path });
      try {
        const title = await encodeOnce({
          config,
          log,
          source: sourceArgument(source),
          out,
          settings: planSettings(options),
          onProgress: (view) => display.showBar(view),
          signal: interrupt.signal,
        });
        if (options["json"]) writeJson({ out, title });
        else display.say(`Done: ${out} (manifest.mpd, master.m3u8)`);
      } finally {
        display.close();
        process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      }
    });
}

export function addCommand(command: Command, urlOf: UrlOf): void {
  withPlanSettings(command)
    .argument("<source>", "a path on the server's machine, an http(s) URL or s3://bucket/key")
    .option("--name <name>", "what the title is called; default: the file's name")
    .option("--priority <0-15>", "0 first, 15 last", wholeNumber(0, 15))
    .option("--no-wait", "end as soon as it is in the catalogue, before anybody has looked at the source")
    .option(...JSON_FLAG)
    .description("take a source into a running Gakuen; says what is wrong with one that cannot be used")
    .addHelpText(
      "after",
      "\nExamples:\n  gakuen add film.mkv\n  gakuen add https://example.org/film.mp4 --name 'The Film' --priority 0\n\nIt ends when the source is planned, or after 15 s: then the source is still waiting to be looked at.",
    )
    .action(async (source: string, options: Options) => {
      const client = apiClient(urlOf(options));
      const settings = planSettings(options);
      const { name, priority } = options;
      const added = await client.add(checked(AddTitle, { source: sourceArgument(source), name, priority, settings }));
      const title = options["wait"] ? await awaitPlan(client.show, added.id) : undefined;
      if (title) demandGood(title);
      const plays = title?.plan ? "plays at" : "waits to be looked at; then it plays at";
      if (options["json"]) writeJson(added);
      else process.stdout.write(`${added.id}\n${plays} ${client.address(added.links.watch)}\n`);
    });
}

export function listCommand(command: Command, urlOf: UrlOf): void {
  command
    .option(...JSON_FLAG)
    .description("the titles of a running Gakuen, newest first")
    .addHelpText("after", "\nExample:\n  gakuen list --json")
    .action(async (options: Options) => {
      const titles = await Array.fromAsync(apiClient(urlOf(options)).list());
      if (options["json"]) writeJson(titles);
      else process.stdout.write(titles.map((title) => `${titleLine(title)}\n`).join("") || "no titles\n");
    });
}

export function showCommand(command: Command, urlOf: UrlOf): void {
  command
    .argument("<title>", "the title's id")
    .option(...JSON_FLAG)
    .description("one title of a running Gakuen")
    .addHelpText("after", "\nExample:\n  gakuen show big-buck-bunny-x7k2mn")
    .action(async (id: string, options: Options) => {
      const client = apiClient(urlOf(options));
      const title: TitleView = await client.show(titleId(id));
      if (options["json"]) writeJson(title);
      else process.stdout.write(titleText(title, client.address));
    });
}

/** pause, resume, cancel, retry and remove: one title, nothing to say when it went well. */
export function titleCommand(command: Command, description: string, urlOf: UrlOf): void {
  const name = command.name() as "pause" | "resume" | "cancel" | "retry" | "remove";
  command
    .argument("<title>", "the title's id")
    .option(...JSON_FLAG)
    .description(description)
    .addHelpText("after", `\nExample:\n  gakuen ${name} big-buck-bunny-x7k2mn`)
    .action(async (id: string, options: Options) => {
      await apiClient(urlOf(options))[name](titleId(id));
      if (options["json"]) writeJson({ id, done: name });
    });
}

export function priorityCommand(command: Command, urlOf: UrlOf): void {
  command
    .argument("<title>", "the title's id")
    .argument("<priority>", "0 first … 15 last; titles begin with 8")
    .option(...JSON_FLAG)
    .description("encode a title before or after others, also while it is being encoded")
    .addHelpText("after", "\nExample:\n  gakuen priority big-buck-bunny-x7k2mn 0")
    .action(async (id: string, priority: string, options: Options) => {
      const change = ChangeTitle.safeParse({ priority: Number(priority) });
      if (!change.success) throw new PipelineError("usage.invalid", `"${priority}" is not a priority from 0 to 15`);
      await apiClient(urlOf(options)).change(titleId(id), change.data);
      if (options["json"]) writeJson({ id, done: "priority", ...change.data });
    });
}

export function inspectCommand(command: Command, configOf: ConfigOf): void {
  command
    .argument("<file>", "a path, an http(s) URL or s3://bucket/key")
    .option(...JSON_FLAG)
    .description("tell what a source is")
    .addHelpText("after", "\nExample:\n  gakuen inspect film.mkv --json")
    .action(async (file: string, options: Options) => {
      const inspection = await inspect(file, configOf(options));
      if (options["json"]) writeJson(inspection);
      else process.stdout.write(inspectionText(inspection));
    });
}

export function planCommand(command: Command, configOf: ConfigOf): void {
  withPlanSettings(command)
    .argument("<file>", "a path, an http(s) URL or s3://bucket/key")
    .option(...JSON_FLAG)
    .description("tell what a source would become, with the reason for each decision")
    .addHelpText("after", "\nExample:\n  gakuen plan film.mkv --rungs 720,360")
    .action(async (file: string, options: Options) => {
      // Wrong words are told before a long look at the source.
      const settings = planSettings(options);
      const { planTitle } = await import("@gakuen/pipeline");
      const { plan, planId } = planTitle(await inspect(file, configOf(options)), settings);
      if (options["json"]) writeJson({ id: planId, ...(plan satisfies Plan) });
      else process.stdout.write(planText(plan, planId));
    });
}

// What a command works with is loaded when it works: it takes a second, and help and the client need none of it.
async function inspect(file: string, config: Config): Promise<Inspection> {
  const { inspectSource } = await import("@gakuen/ffmpeg");
  const { readableAddress } = await import("@gakuen/kaichou-intake");
  const { configuredTools } = await import("./foundation.ts");
  const tools = await configuredTools(config);
  const address = await readableAddress(sourceArgument(file));
  return inspectSource(address, { tools, signal: new AbortController().signal });
}

function withPlanSettings(command: Command): Command {
  return command
    .option("--preset <preset>", `x264 preset: ${PlanSettings.shape.preset.unwrap().options.join(", ")}`)
    .option("--rungs <heights>", "heights of the ladder, for instance 720,360", heights)
    .option("--segment-seconds <seconds>", "nominal length of a segment, 1 to 12", Number);
}

function planSettings({ preset, rungs, segmentSeconds }: Options): PlanSettings {
  return checked(PlanSettings, { preset, rungs, segmentSeconds });
}

/** Options as a schema wants them. Errors: `usage.invalid`, naming the option. */
function checked<T>(schema: z.ZodType<T>, options: Options): T {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PipelineError("usage.invalid", `--${kebab(String(issue?.path[0]))}: ${issue?.message}`);
}

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const heights = (text: string): number[] => text.split(",").map(Number);
const sourceArgument = (text: string): string => (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : resolve(text));

function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from ${min} to ${max} is needed.`);
  };
}

function titleId(text: string): TitleId {
  const parsed = TitleId.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new PipelineError("usage.invalid", `${text} is not a title's id; "gakuen list" shows them`);
}

const writeJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
