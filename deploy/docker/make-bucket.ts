import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CreateBucketCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";

/** Makes the bucket that GAKUEN_STORE_URL names, unless it is there; waits up to a minute for the store. */

const url = new URL(process.env["GAKUEN_STORE_URL"] ?? "");
const Bucket = url.hostname;
const held = (file: string | undefined): string => readFileSync(file ?? "", "utf8");
const endpoint = url.searchParams.get("endpoint");
const client = new S3Client({
  region: url.searchParams.get("region") ?? "us-east-1",
  forcePathStyle: url.searchParams.get("pathStyle") === "true",
  ...(endpoint !== null && { endpoint }),
  credentials: {
    accessKeyId: held(process.env["AWS_ACCESS_KEY_ID_FILE"]),
    secretAccessKey: held(process.env["AWS_SECRET_ACCESS_KEY_FILE"]),
  },
});

const thereIs = (): Promise<boolean> =>
  client.send(new HeadBucketCommand({ Bucket })).then(
    () => true,
    () => false,
  );

for (const giveUp = Date.now() + 60_000; !(await thereIs()); await delay(500)) {
  try {
    await client.send(new CreateBucketCommand({ Bucket }));
  } catch (error) {
    // A store that has just begun to listen may not be able to keep anything yet.
    if (Date.now() > giveUp) throw error;
  }
}
console.log(`bucket ${Bucket} is there`);
