import { PipelineError } from "@gakuen/contracts";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * Makes this process the only one that uses `folder` (which must exist). Returns how to give it back; the kernel does so
 * when the process ends in any way.
 *
 * Node cannot lock files itself. SQLite, which Node brings along, locks its database file by fcntl: that also holds
 * between containers that share a volume, where process ids mean nothing.
 *
 * @throws PipelineError `config.data-dir-in-use`, `config.invalid` when the folder cannot be written.
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const holder = path.join(folder, "holder.pid");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path.join(folder, "holder.lock"));
    database.exec("pragma locking_mode = exclusive; pragma journal_mode = memory; begin exclusive");
    await writeFile(holder, `${process.pid}`);
  } catch (error) {
    database?.close();
    if (isBusy(error)) {
      const pid = await readFile(holder, "utf8").catch(() => "unknown");
      throw new PipelineError(
        "config.data-dir-in-use",
        `another Gakuen (process ${pid}) uses ${folder}: stop it, or set GAKUEN_DATA_DIR to another folder`,
        { cause: error },
      );
    }
    throw new PipelineError(
      "config.invalid",
      `${folder} cannot be written: make it writable for the user that runs Gakuen, or set GAKUEN_DATA_DIR`,
      { cause: error },
    );
  }
  const held = database;
  return () => held.close();
}

/** SQLITE_BUSY: somebody else holds the lock. */
const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === 5;
