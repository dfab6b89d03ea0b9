import { CommanderError } from "commander";
import { buildProgram } from "./program.ts";
import { tellError } from "./tell-error.ts";

/** The command line. Ends by itself with the exit code of what happened; see `gakuen help exit-codes`. */
export async function main(argv: readonly string[]): Promise<void> {
  // Whoever reads us may stop early (`gakuen list | head`); that is no error of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 74));
  const program = buildProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has already said what it has to say: help, version, or what was wrong with the words.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 64;
    else process.exitCode = tellError(error, argv.includes("--json"));
  }
}
