import { DeleteObjectsCommand } from "@aws-sdk/client-s3";
import { PipelineError } from "@gakuen/contracts";
import type { ObjectInfo } from "./port.ts";
import { requestTimeout } from "./request-timeout.ts";
import type { S3Requests } from "./s3-requests.ts";

/** The most that one request may name. */
const BATCH = 1000;

async function* batches(objects: AsyncIterable<ObjectInfo>): AsyncGenerator<string[]> {
  let keys: string[] = [];
  for await (const { key } of objects) {
    keys.push(key);
    if (keys.length < BATCH) continue;
    yield keys;
    keys = [];
  }
  if (keys.length > 0) yield keys;
}

async function deleteTogether(requests: S3Requests, keys: readonly string[]): Promise<void> {
  const command = new DeleteObjectsCommand({
    Bucket: requests.location.bucket,
    Delete: { Objects: keys.map((key) => ({ Key: requests.object(key).Key })), Quiet: true },
  });
  const timeout = requestTimeout({ deletes: keys.length });
  const { Errors: errors = [] } = await requests.send(`delete ${keys.length} objects`, { timeout }, (http) =>
    requests.client.send(command, http),
  );
  if (errors.length === 0) return;
  const shown = errors.slice(0, 3).map(({ Key, Code, Message }) => `${Key} (${Message || Code})`);
  const more = errors.length > shown.length ? ` and ${errors.length - shown.length} more` : "";
  throw new PipelineError(
    errors.every(({ Code }) => Code === "AccessDenied") ? "config.invalid" : "store.unavailable",
    `${errors.length} of ${keys.length} objects could not be deleted: ${shown.join(", ")}${more}`,
  );
}

/** Deletes all `objects` and tells how many they were. Errors: those of the store; they name the keys that are left. */
export async function deleteObjects(requests: S3Requests, objects: AsyncIterable<ObjectInfo>): Promise<number> {
  let count = 0;
  for await (const keys of batches(objects)) {
    await deleteTogether(requests, keys);
    count += keys.length;
  }
  return count;
}
