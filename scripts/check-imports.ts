import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * Imports go one way: contracts → media → manifests, ffmpeg, storage → records, engine → pipeline → services → apps.
 * A package may import from lower layers only, services never from each other, and nobody reaches into another package
 * past its exports.
 */
const layers: readonly (readonly string[])[] = [
  ["contracts"],
  ["media", "platform"],
  ["manifests", "ffmpeg", "storage"],
  ["records", "engine"],
  ["pipeline"],
  ["kaichou-intake", "fukukaichou-dashboard", "otetsudai-encoder", "kaikeishi-uploader", "shoki-publisher"],
  ["gakuen"],
];
const layerOf = new Map(layers.flatMap((names, layer) => names.map((name) => [name, layer] as const)));

const root = join(import.meta.dirname, "..");
const problems: string[] = [];

for (const group of ["packages", "services", "apps"])
  for (const name of readdirSync(join(root, group))) {
    const layer = layerOf.get(name);
    if (layer === undefined) {
      problems.push(`${group}/${name} has no place in the order of layers; give it one in scripts/check-imports.ts`);
      continue;
    }
    for (const file of sources(join(root, group, name))) check(file, join(root, group, name), name, layer);
  }

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "imports go one way" : `${problems.length} imports go the wrong way`);
process.exitCode = problems.length === 0 ? 0 : 1;

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|js|svelte)$/.test(file) && !file.includes("node_modules"))
    .map((file) => join(folder, file));
}

function check(file: string, home: string, name: string, layer: number): void {
  // Tests may use real parts of any package.
  const isTest = /\.(test|real)\.ts$/.test(file) || file.endsWith("testing.ts");
  for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
    const where = `${relative(root, file)} imports ${specifier}`;
    if (specifier.startsWith(".")) {
      const target = relative(home, join(dirname(file), specifier));
      if (target.startsWith("..") && !isTest) problems.push(`${where}: reach other packages by their names`);
      continue;
    }
    const other = /^@gakuen\/([^/]+)|^(gakuen)$/.exec(specifier);
    const otherName = other?.[1] ?? other?.[2];
    if (otherName === undefined || otherName === name || isTest) continue;
    const otherLayer = layerOf.get(otherName);
    if (otherLayer === undefined) problems.push(`${where}: no such package`);
    else if (otherLayer >= layer) problems.push(`${where}: ${name} may only use what lies below it`);
  }
}
