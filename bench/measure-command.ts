import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Cost {
  /** Seconds of processor time, of the command and of all that it started and waited for. */
  readonly cpu: number;
  readonly wall: number;
}

/** Runs a command to its end and says what it cost, as bash's `time` counts it. */
export async function measureCommand(
  command: string,
  args: readonly string[],
  onStderr: (text: string) => void = () => undefined,
): Promise<Cost> {
  const child = spawn("bash", ["-c", 'TIMEFORMAT="cost %R %U %S"; time "$@"', "bash", command, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
    onStderr(bytes.toString());
  });
  const [code] = (await once(child, "close")) as [number | null];
  const cost = /cost ([\d.]+) ([\d.]+) ([\d.]+)/.exec(stderr);
  if (code !== 0 || !cost) throw new Error(`${command} ended with ${code}:\n${stderr}`);
  const [, wall, user, system] = cost.map(Number);
  return { wall: wall ?? 0, cpu: (user ?? 0) + (system ?? 0) };
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
