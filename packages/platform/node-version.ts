import { PipelineError } from "@gakuen/contracts";

const NEEDED = 24;

/** Demands a Node that runs Gakuen's sources as they are. Errors: `tool.missing`, naming what runs and what is needed. */
export function assertNodeVersion(running: string = process.versions.node): void {
  if (Number.parseInt(running, 10) >= NEEDED) return;
  throw new PipelineError(
    "tool.missing",
    `Gakuen needs Node ${NEEDED} or later, but this is Node ${running} (${process.execPath}). ` +
      `Install a newer one from https://nodejs.org, or start with "npm start", which brings its own on Linux.`,
  );
}
