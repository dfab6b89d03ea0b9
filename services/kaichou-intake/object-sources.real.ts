import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { AddTitle, type EncodeJob, type TitleId } from "@gakuen/contracts";
import { getPlan, getTitle } from "@gakuen/records";
import { type ObjectStore, openStore } from "@gakuen/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { encodeChunk } from "../../test/fixtures/index.ts";
import { type Ceph, cephMissing, startCeph } from "../../test/servers/ceph.ts";
import { openTestParts, type PlannedFilm, plannedFilm, type TestParts } from "../kaikeishi-uploader/testing.ts";
import { bucketOpener } from "./open-objects.ts";
import { openTestKaichou, type TestKaichou, untilState, untilTitles } from "./testing.ts";
import { watchedBucket } from "./watch-bucket.ts";

const missing = await cephMissing();
if (missing !== undefined) console.warn(`sources in S3 are not tested here: ${missing}`);

describe.skipIf(missing !== undefined)("a source in a bucket", () => {
  let ceph: Ceph;
  let parts: TestParts;
  let film: PlannedFilm;
  let bytes: Buffer;
  let store: ObjectStore;
  let query: string;
  const kaichous: TestKaichou[] = [];

  beforeAll(async () => {
    [ceph, parts, film] = await Promise.all([startCeph(), openTestParts(), plannedFilm()]);
    process.env["AWS_ACCESS_KEY_ID"] = ceph.accessKeyId;
    process.env["AWS_SECRET_ACCESS_KEY"] = ceph.secretAccessKey;
    const { endpoint, region } = ceph;
    const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: ceph });
    await client.send(new CreateBucketCommand({ Bucket: "films" }));
    client.destroy();
    query = `?endpoint=${endpoint}&region=${region}`;
    store = await openStore(`s3://films${query}`);
    bytes = await readFile(film.source.kind === "file" ? film.source.path : "");
  });
  afterAll(async () => {
    await parts[Symbol.asyncDispose]();
    await ceph[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    for (const { id } of await parts.records.db.selectFrom("titles").select("id").execute())
      await kaichous[0]?.kaichou.remove(id as TitleId);
    for (const running of kaichous.splice(0)) await running[Symbol.asyncDispose]();
  });

  async function start(watch: Parameters<typeof openTestKaichou>[1] = {}): Promise<TestKaichou> {
    const kaichou = await openTestKaichou(parts, watch);
    kaichous.push(kaichou);
    await kaichou.start();
    return kaichou;
  }
  const wish = (source: string): AddTitle =>
    AddTitle.parse({ source, settings: { preset: "ultrafast", rungs: [144, 120], segmentSeconds: 1 } });

  /** A chunk's job as encoders get it; it stays in the queue. */
  async function jobOf({ engine }: TestKaichou, chunk: string): Promise<EncodeJob> {
    const found = Promise.withResolvers<EncodeJob>();
    const worker = engine.workEncode(
      async (job, { signal }) => {
        if (job.ref.chunk === chunk) found.resolve(job);
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      { slots: 8 },
    );
    const job = await found.promise;
    await worker.close();
    return job;
  }
  const sum = (outputs: readonly Uint8Array[]): string[] =>
    outputs.map((output) => createHash("sha256").update(output).digest("hex"));

  test("is planned as the same film from a disk, and encodes to the same bytes through an address that does not expire with a signature", async () => {
    await store.put("in/film one+1%.mp4", bytes);
    const kaichou = await start();
    const source = `s3://films/in/film%20one+1%25.mp4${query}`;
    const id = await kaichou.kaichou.add(wish(source));
    const row = await untilState(parts, id, "encoding", "failed");
    expect(row).toMatchObject({ error: null, name: "film one+1%" });
    expect(row.source).toEqual({ kind: "http", url: `${ceph.endpoint}/films/in/film%20one%2B1%25.mp4` });
    const plan = row.plan && (await getPlan(parts.records, id, row.plan));
    expect(plan).toMatchObject({ fingerprint: film.plan.fingerprint, tracks: film.plan.tracks });

    const job = await jobOf(kaichou, "v2");
    expect(job.source).toEqual({ kind: "http", url: expect.stringMatching(`^${kaichou.url}/sources/${id}\\?token=`) });
    const inPlace = { ...job, source: film.source };
    expect(sum(await encodeChunk(job))).toEqual(sum(await encodeChunk(inPlace)));
  });

  test("sends whoever asks for it on to the store, with nothing but a URL that was signed just now", async () => {
    await store.put("film.mp4", bytes);
    const kaichou = await start();
    const id = await kaichou.kaichou.add(wish(`s3://films/film.mp4${query}`));
    await untilState(parts, id, "encoding");
    const { source } = await jobOf(kaichou, "v1");
    const url = source.kind === "http" ? source.url : "";
    const answer = await fetch(url, { redirect: "manual" });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([307, "no-store"]);
    expect(answer.headers.get("location")).toMatch(/^http.*\/films\/film\.mp4\?.*X-Amz-Signature=/);
    expect((await fetch(url, { method: "HEAD" })).headers.get("content-length")).toBe(`${bytes.length}`);
    const range = await fetch(url, {
      headers: { range: "bytes=1000-1999", authorization: "Bearer for Kaichou alone" },
    });
    expect(range.status).toBe(206);
    expect(Buffer.from(await range.arrayBuffer())).toEqual(bytes.subarray(1000, 2000));
  });

  test.each([
    ["in a bucket that does not exist", "s3://nowhere/film.mp4", "source.not-found", "there is no bucket nowhere"],
    ["that does not exist", "s3://films/none.mp4", "source.not-found", "the bucket films has no object none.mp4"],
    ["that may not be read", "s3://films/film.mp4", "source.permission", "may not be read with Kaichou's credentials"],
    ["that is no film", "s3://films/notes.mp4", "source.not-media", "s3://films/notes.mp4?"],
  ])("%s is refused with a reason", async (what, source, code, says) => {
    await store.put("film.mp4", bytes);
    await store.put("notes.mp4", Buffer.from("This is not a film.\n".repeat(500)));
    const secret = process.env["AWS_SECRET_ACCESS_KEY"];
    if (what.includes("may not")) process.env["AWS_SECRET_ACCESS_KEY"] = "another secret";
    const { kaichou } = await start();
    const { error } = await untilState(parts, await kaichou.add(wish(source + query)), "failed", "encoding");
    process.env["AWS_SECRET_ACCESS_KEY"] = secret;
    expect(error).toEqual({ code, message: expect.stringContaining(says) });
    expect(error?.message).not.toContain("Signature=");
  });

  test.each([
    [
      "replaced by one of the same length",
      () => store.put("film.mp4", Buffer.alloc(bytes.length, 1)),
      "source.changed",
    ],
    ["deleted", () => store.delete("film.mp4"), "source.not-found"],
  ])("that is %s while it is being encoded fails its title, and nothing more is encoded", async (_, harm, code) => {
    await store.put("film.mp4", bytes);
    const kaichou = await start();
    const id = await kaichou.kaichou.add(wish(`s3://films/film.mp4${query}`));
    await untilState(parts, id, "encoding");
    const { source } = await jobOf(kaichou, "v1");
    await harm();
    const answer = await fetch(source.kind === "http" ? source.url : "");
    expect(await answer.json()).toMatchObject({ code });
    expect(await untilState(parts, id, "failed")).toMatchObject({ error: { code } });
    expect((await kaichou.engine.counts()).encode).toEqual({ waiting: 0, active: 0 });
  });

  test("that is watched becomes a title for each of its contents, once: by two Kaichous, and after a restart", async () => {
    const watch = () => ({ watch: [watchedBucket(`s3://films/watched/${query}`, bucketOpener(), 200)] });
    await store.put("watched/a/film.mp4", bytes);
    await store.put("watched/notes.txt", Buffer.from("Bring milk."));
    await store.put("elsewhere/film.mp4", bytes);
    await Promise.all([start(watch()), start(watch())]);
    await untilTitles(parts, 1);
    await store.put("watched/a/film.mp4", Buffer.concat([bytes, Buffer.from([0, 0, 0, 8, ...Buffer.from("free")])]));
    await untilTitles(parts, 2);
    for (const running of kaichous.splice(0)) await running[Symbol.asyncDispose]();
    await start(watch());
    await delay(1000);
    const rows = await untilTitles(parts, 2);
    expect(rows.map(({ name }) => name)).toEqual(["film", "film"]);
    expect((await getTitle(parts.records, rows[1]?.id ?? ""))?.state).toBe("encoding");
  });
});
