#!/usr/bin/env node
// Plain JavaScript, so that an old Node can still say what is wrong instead of stumbling over TypeScript.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `gakuen needs Node 24 or newer; this is ${process.version}. On Linux "npx gakuen" brings its own; elsewhere install Node 24.\n`,
  );
  process.exit(78);
}
// What was compiled (and stripped of its types) once is kept: half of the start-up time.
const { enableCompileCache } = await import("node:module");
enableCompileCache();

const { main } = await import("./main.ts");
await main(process.argv);
