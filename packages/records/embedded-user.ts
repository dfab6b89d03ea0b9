import { PipelineError } from "@gakuen/contracts";
import { spawnSync } from "node:child_process";
import { readFile, stat } from "node:fs/promises";

/** How to start a program of PostgreSQL: the words before it, and who then owns what it writes. */
export interface RunAs {
  readonly prefix: readonly string[];
  /** Null where the program runs as the user we are. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

/**
 * Lets a user who is not root pass through private folders. initdb asks access(2) for its programs, which looks away from
 * the capability unless the bit is set (`no_setuid_fixup`, capabilities(7)).
 */
export const passThrough = [
  "--inh-caps=+dac_read_search",
  "--ambient-caps=+dac_read_search",
  "--securebits=+no_setuid_fixup",
] as const;

/**
 * PostgreSQL refuses to run as root. Root starts it as `postgres`, or else `nobody`; where that user cannot reach the
 * files because they lie under a private folder such as /root, with the capability to pass through folders (and with
 * no other).
 *
 * @param program must be executable by the user
 * @param folder must be reachable by the user; it must exist
 * @param data where there is one already, its owner runs the server, whoever would otherwise
 * @throws PipelineError `tool.failed` when there is no way.
 */
export async function runAs(program: string, folder: string, data: string): Promise<RunAs> {
  // SIGINT is PostgreSQL's fast shutdown; the kernel sends it when we die in any way.
  const withParent = ["--pdeathsig", "INT"];
  if (process.getuid?.() !== 0) {
    const possible = process.platform === "linux" && succeeds(["setpriv", ...withParent, "true"]);
    return { prefix: possible ? ["setpriv", ...withParent] : [], owner: null };
  }
  const owner = (await ownerOf(data)) ?? (await unprivilegedUser());
  const identity = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"];
  for (const capabilities of [[], passThrough]) {
    const as = ["setpriv", ...identity, ...capabilities];
    if (succeeds([...as, program, "--version"]) && succeeds([...as, "sh", "-c", 'cd "$0"', folder])) {
      return { prefix: [...as, ...withParent], owner };
    }
  }
  throw new PipelineError(
    "tool.failed",
    `PostgreSQL does not run as root, and user ${owner.uid} cannot reach ${program} or ${folder}: start Gakuen as a user of its own, put both where every user may pass through, or set GAKUEN_DATABASE_URL`,
  );
}

function succeeds([command = "", ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

async function ownerOf(data: string): Promise<{ uid: number; gid: number } | undefined> {
  const found = await stat(data).catch(() => undefined);
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid };
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] =
      passwd
        .split("\n")
        .find((line) => line.startsWith(`${name}:`))
        ?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new PipelineError(
    "tool.failed",
    "PostgreSQL does not run as root, and there is no user postgres or nobody to run it: start Gakuen as a user of its own, or set GAKUEN_DATABASE_URL",
  );
}
