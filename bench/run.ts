import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";

/** `npm run bench -- NAME [--runs N] [--short]`: runs `bench/NAME.ts`, which answers one question by measuring. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "3" }, short: { type: "boolean", default: false } },
});
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(".bench.ts", ""));
const [name = ""] = positionals;
if (names.includes(name)) {
  const bench = (await import(`./${name}.bench.ts`)) as { run(runs: number, short: boolean): Promise<void> };
  await bench.run(Number(values.runs), values.short);
} else {
  console.error(`usage: npm run bench -- NAME [--runs N] [--short], NAME one of: ${names.join(", ")}`);
  process.exitCode = 64;
}
