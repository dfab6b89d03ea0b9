import { PipelineError } from "@gakuen/contracts";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { RunAs } from "./embedded-user.ts";

export interface Cluster {
  readonly data: string;
  readonly password: string;
}

export const dataFolder = (folder: string): string => path.join(folder, "data");

/** The only user of the server. */
export const SUPERUSER = "gakuen";

/**
 * The data folder of the server, made by the first call. It is made beside its place and moved there when it is
 * complete, so a half-made one (from a kill) is never taken for a database.
 *
 * @throws PipelineError `tool.failed`
 */
export async function prepareCluster(folder: string, initdb: string, as: RunAs): Promise<Cluster> {
  const data = dataFolder(folder);
  const passwordFile = path.join(folder, "password");
  if (await exists(data)) {
    const password = await readFile(passwordFile, "utf8").catch((error: unknown) => {
      throw new PipelineError("tool.failed", `the embedded database's password is missing: restore ${passwordFile}`, {
        cause: error,
      });
    });
    return { data, password };
  }

  const unfinished = path.join(folder, "data.new");
  const passwordForInitdb = path.join(folder, "password.initdb");
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  const password = randomBytes(24).toString("base64url");
  await writePrivate(passwordFile, password);
  await writePrivate(passwordForInitdb, password);
  if (as.owner !== null) {
    await chown(unfinished, as.owner.uid, as.owner.gid);
    await chown(passwordForInitdb, as.owner.uid, as.owner.gid);
  }
  const [command, ...args] = [
    ...as.prefix,
    initdb,
    `--pgdata=${unfinished}`,
    `--username=${SUPERUSER}`,
    "--auth=scram-sha-256",
    `--pwfile=${passwordForInitdb}`,
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
  ];
  try {
    await promisify(execFile)(command, args, { maxBuffer: 1 << 20 });
  } catch (error) {
    throw new PipelineError("tool.failed", `initdb could not make a database in ${folder}: ${stderrOf(error)}`, {
      cause: error,
    });
  } finally {
    await rm(passwordForInitdb, { force: true });
  }
  await rename(unfinished, data);
  return { data, password };
}

async function writePrivate(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  // The mode above counts only for new files.
  await chmod(file, 0o600);
  const handle = await open(file);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const exists = async (file: string): Promise<boolean> => (await stat(file).catch(() => undefined)) !== undefined;

function stderrOf(error: unknown): string {
  if (error instanceof Error && "stderr" in error && typeof error.stderr === "string" && error.stderr !== "") {
    return error.stderr.trim();
  }
  return String(error);
}
