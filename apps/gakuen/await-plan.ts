import { setTimeout as delay } from "node:timers/promises";
import { PipelineError, type TitleId, type TitleView, toPipelineError } from "@gakuen/contracts";

/** A file is looked at within a second or two; what takes longer stands behind others, or is far away. */
const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 200;

/**
 * The title as soon as its source was looked at: planned, or no good. Undefined when that takes long, or when nobody can
 * be asked: the title is taken in all the same.
 */
export async function awaitPlan(
  show: (id: TitleId) => Promise<TitleView>,
  id: TitleId,
): Promise<TitleView | undefined> {
  const giveUp = Date.now() + PATIENCE_MS;
  while (Date.now() < giveUp) {
    const title = await show(id).catch((error: unknown) => {
      if (toPipelineError(error).code === "title.not-found") throw error;
    });
    if (title === undefined) return undefined;
    if (title.plan !== null || (title.state !== "waiting" && title.state !== "preparing")) return title;
    await delay(LOOK_AGAIN_MS);
  }
  return undefined;
}

/** Throws what is wrong with a title's source; its row stays in the catalogue. */
export function demandGood(title: TitleView): void {
  if (title.state !== "failed" || title.error === null) return;
  const { code, message } = title.error;
  const then = `"gakuen retry ${title.id}" when that is put right, or "gakuen remove ${title.id}"`;
  throw new PipelineError(code as PipelineError["code"], `${message} (${then})`);
}
