import { readFile } from "node:fs/promises";
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Ceph, cephMissing, startCeph } from "../../test/servers/ceph.ts";
import { describePutIfAbsent } from "./contract/put-if-absent.ts";
import { describeObjectStore } from "./contract-suite.ts";
import type { ObjectStore } from "./port.ts";
import { openS3Store } from "./s3-store.ts";

const missing = await cephMissing();
if (missing !== undefined) console.warn(`S3 is not tested here: ${missing}`);

const bucket = "media";
const bytes = new TextEncoder().encode("some bytes");

/** The JSON texts of docs/storage.md: policy, lifecycle rules, CORS. */
async function documentedSettings(): Promise<[string, string, string]> {
  const text = await readFile(new URL("../../docs/storage.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/```json\n(.*?)```/gs)].map(([, json = ""]) => json);
  expect(blocks).toHaveLength(3);
  return blocks as [string, string, string];
}

/** A user's policy as a bucket's: the same statements, with the user. */
function forGuest(policy: string): string {
  const { Statement: statements, ...rest } = JSON.parse(policy.replaceAll("BUCKET", bucket)) as { Statement: object[] };
  const Principal = { AWS: ["arn:aws:iam:::user/guest"] };
  return JSON.stringify({ ...rest, Statement: statements.map((statement) => ({ ...statement, Principal })) });
}

describe.skipIf(missing !== undefined)("On a real Ceph", () => {
  let ceph: Ceph;
  let client: S3Client;
  const before = { ...process.env };

  async function open(
    url = `s3://${bucket}/some/prefix`,
    options: { conditionalPut?: boolean } = {},
  ): Promise<ObjectStore> {
    return await openS3Store(new URL(url), { AWS_ENDPOINT_URL_S3: ceph.endpoint }, options);
  }

  function use({ accessKeyId, secretAccessKey }: { accessKeyId: string; secretAccessKey: string }): void {
    process.env["AWS_ACCESS_KEY_ID"] = accessKeyId;
    process.env["AWS_SECRET_ACCESS_KEY"] = secretAccessKey;
  }

  async function openForSuite(conditionalPut: boolean): Promise<{ store: ObjectStore } & AsyncDisposable> {
    const store = await open(undefined, { conditionalPut });
    return {
      store,
      async [Symbol.asyncDispose]() {
        const { Uploads: left } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        expect(left ?? []).toEqual([]);
      },
    };
  }

  beforeAll(async () => {
    ceph = await startCeph();
    use(ceph);
    client = new S3Client({ endpoint: ceph.endpoint, region: ceph.region, forcePathStyle: true, credentials: ceph });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(async () => {
    process.env = before;
    client.destroy();
    await ceph[Symbol.asyncDispose]();
  });

  describeObjectStore("The S3 store", async () => await openForSuite(true));

  describeObjectStore("An S3 store without conditional puts", async () => await openForSuite(false), [
    describePutIfAbsent,
  ]);

  test("an object that is put if absent in parts is stored once", async () => {
    const store = await open();
    const large = async function* (text: string): AsyncGenerator<Uint8Array> {
      for (let part = 0; part < 10; part++) yield Buffer.alloc(1024 * 1024, text);
    };
    const results = await Promise.all(
      Array.from({ length: 3 }, async (_, i) => await store.putIfAbsent("large", large(`writer ${i} `))),
    );
    expect(results.filter((result) => result.stored)).toHaveLength(1);
    expect(new Set(results.map((result) => result.object.etag)).size).toBe(1);
    await store.delete("large");
  });

  test("stores under other prefixes of the bucket do not see each other's objects", async () => {
    const [a, b] = [await open(`s3://${bucket}/a`), await open(`s3://${bucket}/ab`)];
    await a.put("key", bytes);
    expect(await b.stat("key")).toBeUndefined();
    expect(await b.deletePrefix("key")).toBe(0);
    expect(await a.deletePrefix("key")).toBe(1);
  });

  test("more objects than one answer lists are all listed and all deleted", async () => {
    const store = await open();
    const names = Array.from({ length: 1010 }, (_, i) => `many/${String(i).padStart(4, "0")}`);
    await Promise.all(names.map(async (name) => await store.put(name, bytes)));
    const listed: string[] = [];
    for await (const { key } of store.list("many/")) listed.push(key);
    expect(listed).toEqual(names);
    expect(await store.deletePrefix("many/")).toBe(1010);
    expect(await store.deletePrefix("many/")).toBe(0);
  });

  test("a bucket that is not there is told by its name", async () => {
    const opening = open("s3://nowhere/prefix");
    await expect(opening).rejects.toMatchObject({ code: "config.invalid" });
    await expect(opening).rejects.toThrow(`no bucket "nowhere" at ${ceph.endpoint}`);
  });

  test("a wrong key is told, and that of somebody who may not", async () => {
    try {
      for (const user of [{ ...ceph, secretAccessKey: "wrong" }, ceph.guest]) {
        use(user);
        const opening = open();
        await expect(opening).rejects.toMatchObject({ code: "config.invalid" });
        await expect(opening).rejects.toThrow("docs/storage.md names the permissions");
      }
    } finally {
      use(ceph);
    }
  });

  test("the documented policy allows what is needed, under its prefix only; its other settings are well-formed", async () => {
    const [policy, rules, cors] = await documentedSettings();
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: forGuest(policy) }));
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: JSON.parse(rules) }),
    );
    await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: JSON.parse(cors) }));
    const others = await open(`s3://${bucket}/other`);
    await others.put("theirs", bytes);
    try {
      use(ceph.guest);
      const store = await open(`s3://${bucket}/PREFIX`);
      const large = async function* (fails: boolean): AsyncGenerator<Uint8Array> {
        for (let part = 0; part < 7; part++) yield Buffer.alloc(1024 * 1024);
        if (fails) throw new Error("the encoder died");
      };
      expect(await store.stat("a")).toBeUndefined();
      expect((await store.putIfAbsent("a", bytes)).stored).toBe(true);
      expect((await store.putIfAbsent("a", bytes)).stored).toBe(false);
      await store.put("b", large(false));
      await expect(store.put("c", large(true))).rejects.toThrow("the encoder died");
      const { body } = await store.get("b", { range: { start: 0, end: 1 } });
      expect((await body.toArray()).length).toBe(1);
      expect((await fetch((await store.presignGet("a", { expiresSeconds: 60 })) ?? "")).status).toBe(200);
      expect(await store.deletePrefix("b")).toBe(1);
      await store.delete("a");
      const { Uploads: left } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      expect(left ?? []).toEqual([]);

      const elsewhere = await open(`s3://${bucket}/other`);
      await expect(elsewhere.put("a", bytes)).rejects.toMatchObject({ code: "config.invalid" });
      await expect(elsewhere.get("theirs")).rejects.toMatchObject({ code: "config.invalid" });
      await expect(elsewhere.deletePrefix("theirs")).rejects.toMatchObject({ code: "config.invalid" });
    } finally {
      use(ceph);
    }
    expect(await others.deletePrefix("theirs")).toBe(1);
  });

  test("a clock that is off by twenty minutes does no harm", async () => {
    const store = await open();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 20 * 60_000 });
    try {
      expect(await store.stat("clock")).toBeUndefined();
      await store.put("clock", bytes);
      vi.setSystemTime(Date.now() - 40 * 60_000);
      expect((await store.stat("clock"))?.bytes).toBe(10);
      await store.delete("clock");
    } finally {
      vi.useRealTimers();
    }
  });

  test("a store that is frozen is told of, then answered for at once, and used again when it wakes", async () => {
    const store = await open();
    await store.put("frozen", bytes);
    process.kill(ceph.pids.rgw, "SIGSTOP");
    try {
      const lookups = await Promise.allSettled(Array.from({ length: 5 }, async () => await store.stat("frozen")));
      for (const lookup of lookups) {
        expect(lookup).toMatchObject({ status: "rejected", reason: { code: "store.unavailable" } });
      }
      await expect(store.put("frozen", bytes)).rejects.toThrow("tried again every second");
    } finally {
      process.kill(ceph.pids.rgw, "SIGCONT");
    }
    await expect.poll(async () => await store.stat("frozen"), { timeout: 10_000 }).toMatchObject({ bytes: 10 });
  });

  test("what was stored outlives a crash of the store", async () => {
    const store = await open();
    await store.put("durable", bytes);
    await ceph.killHard();
    await expect(store.put("other", bytes)).rejects.toMatchObject({ code: "store.unavailable", retry: true });
    await ceph.restart();
    await expect.poll(async () => await store.stat("durable"), { timeout: 30_000 }).toMatchObject({ bytes: 10 });
    await store.put("other", bytes);
    expect(await store.deletePrefix("other")).toBe(1);
  });
});
