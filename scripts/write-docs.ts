import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorKinds } from "@gakuen/contracts";
import { type Setting, settings } from "@gakuen/platform";

/**
 * Writes the tables of the documentation that follow from the code: the settings and the error codes. With `--check`
 * nothing is written, and the exit code is 1 when a table on disk is not the one that the code gives.
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
  const path = join(root, table.file);
  const present = readFileSync(path, "utf8");
  const wanted = withTable(present, table);
  if (present === wanted) continue;
  if (check) {
    console.error(`${table.file} is not what the code says; write it anew: node scripts/write-docs.ts`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, wanted);
    console.log(`wrote the table of ${table.name} into ${table.file}`);
  }
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
