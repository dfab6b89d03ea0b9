import type { Config } from "@gakuen/platform";
import { Argument, type Command, InvalidArgumentError } from "commander";
import { createReport, type Outcome, type Report } from "./report.ts";
import type { Subject } from "./subject.ts";

type Kit = (subject: Subject, report: Report) => Promise<void>;

/** Each kit is loaded when it is asked for. */
const kits = {
  otetsudai: async () => (await import("./conform-otetsudai.ts")).conformOtetsudai,
  kaikeishi: async () => (await import("./conform-kaikeishi.ts")).conformKaikeishi,
  shoki: async () => (await import("./conform-shoki.ts")).conformShoki,
  kaichou: async () => (await import("./conform-kaichou.ts")).conformKaichou,
} satisfies Record<string, () => Promise<Kit>>;

/** As EX_DATAERR in sysexits.h: what was looked at is not as it should be. */
const BROKEN_EXIT = 65;

/** `gakuen conformance`: tries an implementation of a service against the clauses of docs/contracts. */
export function conformanceCommand(command: Command, configOf: (options: Record<string, unknown>) => Config): void {
  command
    .addArgument(new Argument("<service>", "which contract to try").choices(Object.keys(kits)))
    .requiredOption(
      "--url <url>",
      "the service's address; for otetsudai the address at which it looks for Kaikeishi",
      url,
    )
    .option("--title <id>", "shoki: a title that is ready; default: the newest one")
    .option("--pid <number>", "otetsudai: the encoder's process, which is told to stop at the end", processId)
    .option("--json", "write JSON, for programs")
    .description("try an implementation of a service, in whatever language, against its contract")
    .addHelpText(
      "after",
      `
Exit code 0: no check failed. 65: at least one did. Others: the checks could not be made, see "gakuen help exit-codes".
What each service needs stands in docs/contracts/conformance.md.

Examples:
  gakuen conformance otetsudai --url http://127.0.0.1:8082 --queue-url postgres://localhost/try
  gakuen conformance kaikeishi --url http://127.0.0.1:8082 --database-url postgres://localhost/try --secret …
  gakuen conformance shoki --url http://127.0.0.1:8083 --json`,
    )
    .action(async (service: keyof typeof kits, options: Record<string, unknown>) => {
      const config = configOf(options);
      const json = options["json"] === true;
      const report = createReport((outcome) => {
        if (!json) process.stdout.write(line(outcome));
      });
      const kit: Kit = await kits[service]();
      await kit(subjectOf(options, config), report);
      const { outcomes } = report;
      const count = (result: Outcome["result"]): number =>
        outcomes.filter((outcome) => outcome.result === result).length;
      const [passed, failed, skipped] = [count("pass"), count("fail"), count("skipped")];
      if (json)
        process.stdout.write(
          `${JSON.stringify({ service, url: options["url"], passed, failed, skipped, checks: outcomes }, null, 2)}\n`,
        );
      else process.stdout.write(`\n${service}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
      if (failed > 0) process.exitCode = BROKEN_EXIT;
    });
}

function subjectOf(options: Record<string, unknown>, config: Config): Subject {
  const given = (name: string, env: string): string | undefined => {
    const value = textOf(options[name]) ?? process.env[env];
    return value === "" ? undefined : value;
  };
  return {
    url: textOf(options["url"]) ?? "",
    config,
    storeUrl: given("storeUrl", "GAKUEN_STORE_URL"),
    // Not the configuration's: that would make one up, and no service would know it.
    secret: given("secret", "GAKUEN_SECRET"),
    title: textOf(options["title"]),
    pid: options["pid"] === undefined ? undefined : Number(options["pid"]),
    tools: async () => (await import("../foundation.ts")).configuredTools(config),
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const words = { pass: "ok  ", fail: "FAIL", skipped: "skip" };

function line({ clause, promise, result, reason }: Outcome): string {
  const why = reason === "" ? "" : `\n            ${reason.replaceAll("\n", " ")}`;
  return `${words[result]} ${clause.padEnd(5)} ${promise}${why}\n`;
}

function url(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError("a URL that begins with http:// or https:// is needed.");
}

function processId(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("the id of a process is needed.");
}
