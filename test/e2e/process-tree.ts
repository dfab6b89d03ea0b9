import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

export interface ProcessInfo {
  readonly pid: number;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

/** Processes that a process started, and theirs, as Linux tells of them in /proc. */
export async function descendants(pid: number): Promise<ProcessInfo[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const pids = children.split(" ").filter(Boolean).map(Number);
  const own = await Promise.all(pids.map(async (child) => ({ pid: child, command: await commandOf(child) })));
  const theirs = await Promise.all(pids.map(descendants));
  return [...own, ...theirs.flat()];
}

async function commandOf(pid: number): Promise<string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
}

/** Those of the processes that still run after `withinMs`; a pid that belongs to another program by now does not count. */
export async function survivors(processes: readonly ProcessInfo[], withinMs: number): Promise<ProcessInfo[]> {
  const giveUp = Date.now() + withinMs;
  while (true) {
    const now = await Promise.all(processes.map(({ pid }) => commandOf(pid)));
    const left = processes.filter((info, index) => now[index]?.[0] !== "" && now[index]?.[0] === info.command[0]);
    if (left.length === 0 || Date.now() > giveUp) return left;
    await delay(50);
  }
}
