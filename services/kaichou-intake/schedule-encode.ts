import { PipelineError } from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import { backgroundPriority, encodeJob } from "@gakuen/pipeline";
import type { Tokens } from "@gakuen/platform";
import { getPlan, type Records, sourceFacts, type TitleRow } from "@gakuen/records";
import type { EncoderAddress } from "./encoder-address.ts";
import { parseObjectAddress } from "./object-address.ts";

/** A grant lasts as long as a chunk may wait in a long queue. */
const GRANT_SECONDS = 30 * 24 * 60 * 60;

export interface ScheduleParts {
  readonly records: Records;
  readonly engine: Engine;
  readonly tokens: Tokens;
  readonly encoderAddress: EncoderAddress;
}

/**
 * Puts a planned title's whole graph into the queue: every chunk, and the publication that waits for all of them.
 * Doing it twice does it once.
 */
export async function scheduleEncode(parts: ScheduleParts, row: TitleRow): Promise<void> {
  const { id: title, plan: planId } = row;
  const plan = planId && (await getPlan(parts.records, title, planId));
  if (!planId || !plan) throw new PipelineError("internal", `title ${title} has no plan to encode`);
  const facts = await sourceFacts(parts.records, title);
  const object = facts.object === null ? undefined : parseObjectAddress(facts.object);
  const source = await parts.encoderAddress(title, row.source, object);
  const encodes = await Promise.all(
    plan.chunks.map(async (chunk) => {
      const ref = { title, plan: planId, chunk: chunk.id };
      const grant = await parts.tokens.sign("grant", ref, GRANT_SECONDS);
      const priority = backgroundPriority(plan, chunk, row.priority);
      return { job: encodeJob(ref, plan, chunk, source, grant), priority };
    }),
  );
  // Jobs of one priority are taken in the order in which they were added.
  encodes.sort((a, b) => a.priority - b.priority);
  await parts.engine.addGraph({ title, plan: planId }, encodes);
  // Where it was cancelled meanwhile, perhaps on another machine, the uploader refuses these jobs' claims, and the
  // reconciler that sees the refusal calls off the rest.
}
