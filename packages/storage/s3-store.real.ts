import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ceph, cephMissing, startCeph } from "../../test/servers/ceph.ts";
import { describeObjectStore } from "./contract-suite.ts";
import type { ObjectStore } from "./port.ts";
import { openS3Store } from "./s3-store.ts";

const missing = await cephMissing();
if (missing !== undefined) console.warn(`S3 is not tested here: ${missing}`);

describe.skipIf(missing !== undefined)("On a real Ceph", () => {
  let ceph: Ceph;
  let client: S3Client;
  const bucket = "media";

  const environment = (): Record<string, string> => ({ AWS_ENDPOINT_URL_S3: ceph.endpoint });
  const open = async (options: { conditionalPut?: boolean } = {}): Promise<ObjectStore> =>
    await openS3Store(new URL(`s3://${bucket}/some/prefix`), environment(), options);

  beforeAll(async () => {
    ceph = await startCeph();
    process.env["AWS_ACCESS_KEY_ID"] = ceph.accessKeyId;
    process.env["AWS_SECRET_ACCESS_KEY"] = ceph.secretAccessKey;
    client = new S3Client({ endpoint: ceph.endpoint, region: ceph.region, forcePathStyle: true, credentials: ceph });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(async () => {
    await ceph[Symbol.asyncDispose]();
  });

  describeObjectStore("The S3 store", async () => ({ store: await open(), [Symbol.asyncDispose]: async () => {} }));
});
