import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PipelineError } from "@gakuen/contracts";

/** HS256 demands a key of at least 256 bits (RFC 7518 §3.2). */
export const MIN_SECRET_CHARACTERS = 32;

function readSecret(path: string): string | undefined {
  let secret: string;
  try {
    secret = readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if (secret.length < MIN_SECRET_CHARACTERS) {
    throw new PipelineError(
      "config.invalid",
      `${path} does not hold a secret of at least ${MIN_SECRET_CHARACTERS} characters; delete it and a new one is made`,
    );
  }
  return secret;
}

/**
 * The secret in `{dataDir}/secret`, readable for its owner only; made when there is none. Processes that start at the
 * same time on one data folder get the same. Errors: `config.invalid`.
 */
export function keepSecret(dataDir: string): string {
  const path = join(dataDir, "secret");
  try {
    mkdirSync(dataDir, { recursive: true });
    const there = readSecret(path);
    if (there !== undefined) return there;
    const secret = randomBytes(32).toString("base64url");
    const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: "wx", flush: true });
      // A link appears whole and never replaces: whoever comes second reads the first one's.
      linkSync(draft, path);
      return secret;
    } catch (error) {
      const winner = (error as NodeJS.ErrnoException).code === "EEXIST" ? readSecret(path) : undefined;
      if (winner === undefined) throw error;
      return winner;
    } finally {
      rmSync(draft, { force: true });
    }
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new PipelineError(
      "config.invalid",
      `No secret can be kept in ${path} (${why}); make GAKUEN_DATA_DIR a folder that can be written, or set GAKUEN_SECRET`,
      { cause: error },
    );
  }
}
