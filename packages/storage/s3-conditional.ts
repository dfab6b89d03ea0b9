import { randomUUID } from "node:crypto";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { INCOMING } from "./key.ts";
import { isConditionFailed, s3Answer } from "./s3-errors.ts";
import type { S3Requests } from "./s3-requests.ts";

/** A store that knows the header but not this use of it may say so; one that does not know it ignores it. */
const NOT_IMPLEMENTED = new Set([400, 501]);

async function tryIt(requests: S3Requests): Promise<boolean> {
  const object = requests.object(`${INCOMING}/conditional-put-${randomUUID()}`);
  const putIfAbsent = async (): Promise<"stored" | "refused" | "not implemented"> =>
    await requests.send("try a conditional put", {}, async (http) => {
      try {
        await requests.client.send(new PutObjectCommand({ ...object, Body: "?", IfNoneMatch: "*" }), http);
        return "stored";
      } catch (error) {
        if (isConditionFailed(error)) return "refused";
        if (NOT_IMPLEMENTED.has(s3Answer(error)?.status ?? 0)) return "not implemented";
        throw error;
      }
    });
  const first = await putIfAbsent();
  if (first === "not implemented") return false;
  const second = await putIfAbsent();
  await requests.send("try a conditional put", {}, (http) =>
    requests.client.send(new DeleteObjectCommand(object), http),
  );
  return second === "refused";
}

/**
 * Asks a store, the first time it matters, whether it heeds `If-None-Match: *` (RFC 9110 §13.1.2) on a put: some of the
 * S3 stores ignore it, and nothing but trying tells.
 */
export function canPutIfAbsent(requests: S3Requests): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  return async () => {
    answer ??= tryIt(requests);
    try {
      return await answer;
    } catch (error) {
      answer = undefined;
      throw error;
    }
  };
}
