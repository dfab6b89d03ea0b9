import { Command, Option } from "commander";
import { errorKinds } from "@gakuen/contracts";
import { type Config, FRONT_DOOR_PORT, loadConfig, type SettingName, settings } from "@gakuen/platform";
import {
  addCommand,
  encodeCommand,
  inspectCommand,
  listCommand,
  planCommand,
  showCommand,
  priorityCommand,
  titleCommand,
} from "./commands.ts";
import { conformanceCommand } from "./conformance/command.ts";
import type { ServiceName } from "./one-service.ts";
import { version } from "./version.ts";

const serviceWork: Record<ServiceName, string> = {
  kaichou: "collects sources, inspects them, decides the plan",
  fukukaichou: "the dashboard and front door",
  otetsudai: "encodes chunks",
  kaikeishi: "receives encoded media and stores it",
  shoki: "catalogue, manifests and segments",
};

/** The command line's words. What the commands do stands in the files they are imported from, the largest when needed. */
export function buildProgram(): Command {
  const program = new Command("gakuen")
    .description("From a film to DASH and HLS: inspects, encodes in parallel, stores while encoding, and serves.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("Run with --help for what is possible.")
    .addHelpText(
      "after",
      `
Examples:
  gakuen up                               all in one process, with a sample film the first time
  gakuen up film.mkv                      the same, with a film of yours
  gakuen encode film.mkv --out stream     a folder that any web server can serve
  gakuen add https://example.org/a.mp4    into a running Gakuen
  gakuen help exit-codes                  what the exit codes mean

Every setting can be given as an option or in the environment; "gakuen up --help" lists them.`,
    );

  withSettings(program.command("up"))
    .argument("[files...]", "films to take in: paths or http(s) URLs")
    .description("run all services in this process")
    .addHelpText("after", "\nExamples:\n  gakuen up\n  gakuen up film.mkv --port 9000 --data-dir /srv/gakuen")
    .action(async (files: string[], options) => (await import("./up.ts")).up(configOf(options), files));

  for (const name of Object.keys(serviceWork) as ServiceName[])
    withSettings(program.command(name))
      .description(`run one service: ${serviceWork[name]}`)
      .addHelpText("after", serviceExample(name))
      .action(async (options) => (await import("./one-service.ts")).runService(name, configOf(options)));

  encodeCommand(
    withSettings(program.command("encode"), ["slots", "ffmpeg", "ffprobe", "logLevel", "logFormat"]),
    configOf,
  );
  const client = (name: string): Command => withSettings(program.command(name), ["host", "port", "publicUrl"]);
  addCommand(client("add"), clientUrl);
  listCommand(client("list"), clientUrl);
  showCommand(client("show"), clientUrl);
  titleCommand(client("pause"), "stop encoding a title until it is resumed; what is stored plays", clientUrl);
  titleCommand(client("resume"), "go on with a paused title", clientUrl);
  priorityCommand(client("priority"), clientUrl);
  titleCommand(client("cancel"), "stop encoding a title; what is stored stays for a retry", clientUrl);
  titleCommand(
    client("retry"),
    "start a failed or cancelled title again, or mend one of which the store lost something",
    clientUrl,
  );
  titleCommand(client("remove"), "remove a title and all its media", clientUrl);
  inspectCommand(withSettings(program.command("inspect"), ["ffmpeg", "ffprobe"]), configOf);
  planCommand(withSettings(program.command("plan"), ["ffmpeg", "ffprobe"]), configOf);
  conformanceCommand(
    withSettings(program.command("conformance"), [
      "databaseUrl",
      "queueUrl",
      "storeUrl",
      "secret",
      "shokiUrl",
      "ffmpeg",
      "ffprobe",
    ]),
    configOf,
  );
  program
    .command("exit-codes", { hidden: true })
    .description("what the exit codes mean")
    .action(() => void process.stdout.write(exitCodesText()));
  program.addHelpCommand(false);
  program
    .command("help [topic]")
    .description('help for a command; "help exit-codes" explains the exit codes')
    .action((topic?: string) => {
      if (topic === "exit-codes") process.stdout.write(exitCodesText());
      else (program.commands.find((command) => command.name() === topic) ?? program).outputHelp();
    });
  return program;
}

/** Adds options for settings: all of them, or the named ones. */
function withSettings(command: Command, names = Object.keys(settings) as SettingName[]): Command {
  for (const name of names) {
    const { flag, value, description, env, default: fallback } = settings[name];
    command.addOption(new Option(`${flag} <${value}>`, `${description} (${env}; default: ${fallback})`));
  }
  return command;
}

function configOf(options: Record<string, unknown>): Config {
  return loadConfig({ env: process.env, flags: options });
}

function clientUrl(options: Record<string, unknown>): string {
  const { publicUrl, host, port = FRONT_DOOR_PORT } = configOf(options);
  return publicUrl ?? `http://${host}:${port}`;
}

function serviceExample(name: ServiceName): string {
  const database = "GAKUEN_DATABASE_URL=postgres://gakuen:secret@127.0.0.1/gakuen";
  const more = name === "otetsudai" ? " --slots 8" : "";
  return `\nExample:\n  ${name === "fukukaichou" ? "" : `${database} `}gakuen ${name}${more}`;
}

function exitCodesText(): string {
  const byExit = new Map<number, string[]>();
  for (const [code, { exit }] of Object.entries(errorKinds)) byExit.set(exit, [...(byExit.get(exit) ?? []), code]);
  const lines = [...byExit]
    .sort(([a], [b]) => a - b)
    .map(([exit, codes]) => `${String(exit).padStart(4)}  ${codes.join(", ")}`);
  return `Exit codes (as in sysexits.h) and the errors behind them:\n   0  done\n${lines.join("\n")}\n 130  ended at once by a second Ctrl-C\n`;
}
