import { readFile } from "node:fs/promises";
import path from "node:path";

/** What a running server says of itself in `postmaster.pid` (PostgreSQL, src/include/utils/pidfile.h). */
export interface Postmaster {
  readonly pid: number;
  readonly ready: boolean;
}

/** Undefined when no server runs in this data folder, as far as the file says; it outlives a server that was killed. */
export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(path.join(data, "postmaster.pid"), "utf8").catch(() => "");
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, ready: lines[7]?.trim() === "ready" };
}

/** Whether process `pid` is a server of this data folder, and not another process that got its number since. */
export async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (process.platform !== "linux") {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command.split("\0").includes(data);
}
