import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU-milliseconds of a process, its children, and those of them that have ended and were waited for (proc(5)). */
export function cpuMsOfTree(root: number): number {
  const parents = new Map<number, { parent: number; ticks: number }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statFields(name);
    if (fields === undefined) continue;
    const [, parent = 0] = fields;
    const ticks = fields.slice(11, 15).reduce((sum, value) => sum + value, 0);
    parents.set(Number(name), { parent, ticks });
  }
  let ticks = 0;
  for (const [pid, process] of parents) if (isWithin(pid, root, parents)) ticks += process.ticks;
  return (ticks / TICKS_PER_SECOND) * 1000;
}

/** The fields from the third on: the state (as NaN), the parent's id, … utime, stime, cutime, cstime at 11 to 14. */
function statFields(pid: string): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
  } catch {
    return undefined;
  }
}

function isWithin(pid: number, root: number, parents: ReadonlyMap<number, { parent: number }>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at)?.parent)
    if (at === root) return true;
  return false;
}

/** CPU-milliseconds that all processes of the machine have used, and that nobody has (proc(5), /proc/stat). */
export function machineCpu(): { readonly usedMs: number; readonly idleMs: number } {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n", 1);
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const scale = 1000 / TICKS_PER_SECOND;
  return { usedMs: (user + nice + system + irq + soft + steal) * scale, idleMs: (idle + wait) * scale };
}
