import { CommanderError } from "commander";
import { buildProgram } from "./program.ts";
import { tellError } from "./tell-error.ts";

/** The command line. Ends by itself with the exit code of what happened; see `gakuen help exit-codes`. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = buildProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has already said what it has to say: help, version, or what was wrong with the words.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 64;
    else process.exitCode = tellError(error, argv.includes("--json"));
  }
}
