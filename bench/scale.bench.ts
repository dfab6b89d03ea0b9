import { measureIngest } from "./scale/measure-ingest.ts";
import { measureQueue } from "./scale/measure-queue.ts";
import { measureReal } from "./scale/measure-real.ts";

/**
 * How far does it scale? Real engine, real databases, encoders whose encodes are waits. Prints how much of the slots'
 * time was spent encoding (ideal ÷ wall), and what a chunk costs beside its encode.
 */
export async function run({ short }: { short: boolean }): Promise<void> {
  await measureQueue(short);
  await measureIngest(short);
  if (!short) await measureReal();
}
