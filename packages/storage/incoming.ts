import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { errnoOf } from "./fs-errors.ts";

/** A put that wrote nothing for this long is over, whoever made it. */
const STALE_MS = 3_600_000;

const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "-");

export interface IncomingFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** A new, empty file in `folder` that no other put has; its name says who writes it: host, process, random. */
export async function createIncomingFile(folder: string): Promise<IncomingFile> {
  const path = join(folder, `${host}.${process.pid}.${randomUUID()}`);
  return { path, handle: await open(path, "wx") };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user.
    return errnoOf(error) === "EPERM";
  }
}

/** Whether the writer of a file that was last written at `mtimeMs` is gone for certain, or silent for too long. */
function isLeftOver(name: string, mtimeMs: number): boolean {
  if (Date.now() - mtimeMs > STALE_MS) return true;
  const [writerHost, pid] = name.split(".");
  // Process ids say nothing about other hosts, which may share the folder.
  if (writerHost !== host || pid === undefined || !/^\d+$/.test(pid)) return false;
  // In a container every run has the same id: what was written before this process began is its predecessor's.
  if (Number(pid) === process.pid) return mtimeMs < Date.now() - process.uptime() * 1000;
  return !isRunning(Number(pid));
}

/** Removes what killed processes left in `folder`. */
export async function sweepIncoming(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined && isLeftOver(name, info.mtimeMs)) await rm(path, { force: true, recursive: true });
  }
}
