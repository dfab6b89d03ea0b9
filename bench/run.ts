import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";

/** `npm run bench -- NAME [--runs N] [--short] [--copies N]`: runs `bench/NAME.ts`, which answers one question by measuring. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "3" },
    short: { type: "boolean", default: false },
    copies: { type: "string", default: "1" },
  },
});
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(".bench.ts", ""));
const [name = ""] = positionals;
if (names.includes(name)) {
  const bench = (await import(`./${name}.bench.ts`)) as {
    run(options: { runs: number; short: boolean; copies: number }): Promise<void>;
  };
  await bench.run({ runs: Number(values.runs), short: values.short, copies: Number(values.copies) });
} else {
  console.error(`usage: npm run bench -- NAME [--runs N] [--short] [--copies N], NAME one of: ${names.join(", ")}`);
  process.exitCode = 64;
}
