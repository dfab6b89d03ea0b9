import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorKinds } from "@gakuen/contracts";
import { type Setting, settings } from "@gakuen/platform";
import { contractFiles } from "./write-contracts.ts";

/**
 * Writes what of the documentation follows from the code: the tables of settings and error codes, and the contracts in
 * docs/contracts. With `--check` nothing is written, and the exit code is 1 when what is on disk is not what the code
 * gives.
 */
const tables: readonly Table[] = [
  { file: "docs/configuration.md", name: "settings", rows: settingRows() },
  { file: "docs/errors.md", name: "errors", rows: errorRows() },
];

interface Table {
  /** From the root of the project. */
  readonly file: string;
  /** Names the two marks in the file between which the table stands. */
  readonly name: string;
  /** Cells in Markdown, the head first. */
  readonly rows: readonly (readonly string[])[];
}

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");

for (const table of tables) {
  const present = readFileSync(join(root, table.file), "utf8");
  keep(table.file, present, withTable(present, table), `the table of ${table.name} in ${table.file}`);
}
for (const { file, text } of await contractFiles()) {
  const path = join(root, file);
  keep(file, existsSync(path) ? readFileSync(path, "utf8") : "", text, file);
}

function keep(file: string, present: string, wanted: string, what: string): void {
  if (present === wanted) return;
  if (check) {
    console.error(`${file} is not what the code says; write it anew: node scripts/write-docs.ts`);
    process.exitCode = 1;
    return;
  }
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, wanted);
  console.log(`wrote ${what}`);
}

function settingRows(): string[][] {
  const rows = Object.values<Setting>(settings).map(({ env, flag, value, description, default: fallback, secret }) => [
    `\`${env}\``,
    `\`${flag} <${value}>\``,
    secret ? `${description} (never shown in logs and messages)` : description,
    fallback,
  ]);
  return [["Variable", "Option", "What it says", "Default"], ...rows];
}

function errorRows(): string[][] {
  const rows = Object.entries(errorKinds).map(([code, { status, retry, exit }]) => [
    `\`${code}\``,
    `${status}`,
    retry ? "yes" : "no",
    `${exit}`,
  ]);
  return [["Code", "HTTP status", "Retry can help", "Exit code"], ...rows];
}

function withTable(text: string, { file, name, rows }: Table): string {
  const begin = `<!-- table of ${name}: written by scripts/write-docs.ts -->\n`;
  const end = `<!-- end of the table of ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} lacks the marks of the table of ${name}`);
  return `${text.slice(0, from)}${begin}\n${markdown(rows)}\n${text.slice(to)}`;
}

/** A bar would end a cell. */
function markdown(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |\n`;
  const [head = [], ...body] = rows;
  return [line(head), line(head.map(() => "---")), ...body.map(line)].join("");
}
