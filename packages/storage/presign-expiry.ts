import { PipelineError } from "@gakuen/contracts";
import type { PresignOptions } from "./port.ts";

/** What Signature Version 4 allows: a week. */
const MOST_SECONDS = 604_800;

/** Demands a time for which every store can sign a URL. Errors: `usage.invalid`. */
export function checkExpiry({ expiresSeconds }: PresignOptions): void {
  if (Number.isInteger(expiresSeconds) && expiresSeconds >= 1 && expiresSeconds <= MOST_SECONDS) return;
  throw new PipelineError(
    "usage.invalid",
    `A URL can be signed for 1 to ${MOST_SECONDS} whole seconds, not for ${expiresSeconds}`,
  );
}
