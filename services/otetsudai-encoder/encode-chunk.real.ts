import { once } from "node:events";
import { mkdtemp, open, readdir, rm, truncate } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import {
  type ChunkRef,
  type EncodeProgress,
  INIT_NUMBER,
  PipelineError,
  sourcePath,
  type TrackId,
  VIEWER_PRIORITIES,
} from "@gakuen/contracts";
import { openEngine } from "@gakuen/engine";
import { chunkReceipts } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKaikeishi } from "../kaikeishi-uploader/index.ts";
import {
  chunkJob,
  never,
  openTestParts,
  type PlannedFilm,
  plannedFilm,
  type TestParts,
  titleInEncoding,
  tools,
} from "../kaikeishi-uploader/testing.ts";
import { type EncodeContext, encodeChunk } from "./encode-chunk.ts";
import { Front } from "./front.ts";
import { startOtetsudai } from "./otetsudai.ts";
import { copyOf, ffmpegGone, ffmpegsReading, heldStore, openFiles } from "./testing.ts";

let parts: TestParts;
let film: PlannedFilm;
/** Checksums of an undisturbed v1, by track and number. */
let undisturbed: Record<string, string>;

beforeAll(async () => {
  [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
  await encodeChunk(job, alone(), calmly());
  undisturbed = await checksums(job.ref);
  expect(Object.keys(undisturbed)).toHaveLength(22);
});
afterAll(() => parts[Symbol.asyncDispose]());

const alone = () => ({ ingest: parts.kaikeishi, tools, log: parts.log, front: new Front() });
const calmly = (signal = never()): EncodeContext => ({
  signal,
  hurry: false,
  onWanted: () => undefined,
  report: () => undefined,
});

async function checksums(ref: ChunkRef): Promise<Record<string, string>> {
  const segments = (await chunkReceipts(parts.records, ref)).filter(({ number }) => number !== INIT_NUMBER);
  return Object.fromEntries(segments.map(({ track, number, sha256 }) => [`${track}/${number}`, sha256]));
}

/** A chunk whose encoder has begun and is held back by the store, at segment 4. */
async function begun(chunk = "v1") {
  const copy = await copyOf(film, parts);
  const held = heldStore(parts.store, "/4.m4s");
  const job = await chunkJob(parts, copy, await titleInEncoding(parts, copy), chunk);
  return { copy, held, job, ingest: createKaikeishi({ ...parts, store: held.store }) };
}

async function onlyFfmpeg(path: string): Promise<number> {
  const pids = await ffmpegsReading(path);
  expect(pids).toHaveLength(1);
  return pids[0] ?? 0;
}

describe("an encoder", () => {
  test("makes the same bytes in a hurry, where the lowest rung has a process of its own", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    await encodeChunk(job, alone(), { ...calmly(), hurry: true });
    expect(await checksums(job.ref)).toEqual(undisturbed);
  });

  test("encodes a track ahead for a viewer who comes while the chunk is being encoded, to the same bytes", async () => {
    const { copy, held, job, ingest } = await begun();
    let want: (track: TrackId) => void = () => undefined;
    const encoding = encodeChunk(
      job,
      { ...alone(), ingest },
      { ...calmly(), onWanted: (listener) => (want = listener) },
    );
    await held.reached;
    await onlyFfmpeg(copy.path);
    const [highest] = job.tracks;
    if (highest) [want, want].forEach((tell) => tell(highest.id));
    await expect.poll(() => ffmpegsReading(copy.path)).toHaveLength(2);
    held.release();
    await encoding;
    expect(await checksums(job.ref)).toEqual(undisturbed);
    await ffmpegGone(copy.path);
  });

  test("tells how far it is, and never goes back", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    const told: EncodeProgress[] = [];
    await encodeChunk(job, alone(), { ...calmly(), report: (progress) => told.push(progress) });
    expect(told.length).toBeGreaterThan(0);
    for (const { seconds, total } of told) {
      expect(total).toBe(11);
      expect(seconds).toBeLessThanOrEqual(total);
    }
    expect(told.map(({ seconds }) => seconds)).toEqual(told.map(({ seconds }) => seconds).toSorted((a, b) => a - b));
  });

  test("encodes nothing of a chunk that is complete", async () => {
    const copy = await copyOf(film, parts);
    const job = await chunkJob(parts, copy, await titleInEncoding(parts, copy), "a1-0");
    await encodeChunk(job, alone(), calmly());
    // Without its source it could not be made again.
    await rm(copy.path);
    await encodeChunk(job, alone(), calmly());
    await expect(
      encodeChunk(await chunkJob(parts, copy, job.ref.title, "v1"), alone(), calmly()),
    ).rejects.toMatchObject({ code: "encode.failed", message: expect.stringContaining("No such file") });
  });

  test("makes the same bytes as another that works on the chunk at the same time, and one of them is stopped", async () => {
    const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
    const results = await Promise.allSettled([1, 2].map(() => encodeChunk(job, alone(), calmly())));
    expect(results.map(({ status }) => status)).toContain("fulfilled");
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "ingest.claim-lost" });
    expect(await checksums(job.ref)).toEqual(undisturbed);
  });

  test("writes no file: what it holds open is the source, and folders for temporary files stay empty", async () => {
    const { copy, held, job, ingest } = await begun();
    const empty = await mkdtemp(join(parts.folder, "empty-"));
    const before = { cwd: process.cwd(), tmpdir: process.env["TMPDIR"] };
    process.chdir(empty);
    process.env["TMPDIR"] = empty;
    try {
      const encoding = encodeChunk(job, { ...alone(), ingest }, calmly());
      await held.reached;
      expect(new Set(await openFiles(await onlyFfmpeg(copy.path)))).toEqual(new Set([copy.path]));
      held.release();
      await encoding;
    } finally {
      process.chdir(before.cwd);
      if (before.tmpdir === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before.tmpdir;
    }
    expect(await readdir(empty)).toEqual([]);
    expect(await checksums(job.ref)).toEqual(undisturbed);
  });

  test("whose ffmpeg stands still is called stuck, and ffmpeg is ended", async () => {
    const { copy, held, job, ingest } = await begun();
    const encoding = encodeChunk(job, { ...alone(), ingest, stuckAfterMs: 5000 }, calmly());
    const stuck = expect(encoding).rejects.toMatchObject({ code: "encode.stuck", retry: true });
    await held.reached;
    process.kill(await onlyFfmpeg(copy.path), "SIGSTOP");
    held.release();
    await stuck;
    await ffmpegGone(copy.path);
    expect(await parts.kaikeishi.claim(job.ref, job.grant, never())).toMatchObject({ state: "open" });
  });

  test("of pictures whose source ends too early says so, and the chunk is not complete", async () => {
    const copy = await copyOf(film, parts);
    await using file = await open(copy.path);
    const { size } = await file.stat();
    await truncate(copy.path, Math.floor(size / 2));
    const job = await chunkJob(parts, copy, await titleInEncoding(parts, copy), "v1");
    const error: unknown = await encodeChunk(job, alone(), calmly()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PipelineError);
    expect(["encode.failed", "ingest.mismatch"]).toContain((error as PipelineError).code);
    expect(await parts.kaikeishi.claim(job.ref, job.grant, never())).toMatchObject({ state: "open" });
    await ffmpegGone(copy.path);
  });

  test("of sound whose source was cut off after it was planned says so: nobody hears silence in its place", async () => {
    const copy = await copyOf(film, parts);
    await using file = await open(copy.path);
    const { size } = await file.stat();
    // The picture's last frames go with it; a film of sound alone has nothing else that would be missed.
    await truncate(copy.path, Math.floor(size * 0.9));
    const job = await chunkJob(parts, copy, await titleInEncoding(parts, copy), "a1-0");
    await expect(encodeChunk(job, alone(), calmly())).rejects.toMatchObject({ code: "encode.incomplete" });
    expect(await parts.kaikeishi.claim(job.ref, job.grant, never())).toMatchObject({ state: "open" });
  });

  test.concurrent.each([
    ["Kaichou's, which is away", sourcePath, undefined, "service.unreachable"],
    ["Kaichou's, behind a balancer that finds none", sourcePath, 502, "service.unreachable"],
    ["Kaichou's, which refuses it", sourcePath, 422, "encode.failed"],
    ["of the web, and its server is away", () => "/film.mp4", undefined, "encode.failed"],
  ] as const)("whose source is %s", async (_, path, status, code) => {
    const title = await titleInEncoding(parts, film);
    const server = createServer((_request, response) => response.writeHead(status ?? 500).end());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    if (status === undefined) await promisify(server.close.bind(server))();
    try {
      const source = { kind: "http" as const, url: `http://127.0.0.1:${port}${path(title)}?token=t` };
      const job = await chunkJob(parts, { ...film, source }, title, "v1");
      await expect(encodeChunk(job, alone(), calmly())).rejects.toMatchObject({ code });
    } finally {
      server.close();
    }
  });

  test("that loses its chunk to another ends ffmpeg", async () => {
    const { copy, held, job, ingest } = await begun();
    const lost = expect(encodeChunk(job, { ...alone(), ingest }, calmly())).rejects.toMatchObject({
      code: "ingest.claim-lost",
    });
    await held.reached;
    await parts.kaikeishi.claim(job.ref, job.grant, never());
    held.release();
    await lost;
    await ffmpegGone(copy.path);
  });
});

describe("an encoder at the queue", () => {
  async function working(ingest = parts.kaikeishi) {
    const stack = new AsyncDisposableStack();
    const engine = stack.use(await openEngine({ url: parts.databaseUrl, log: parts.log }));
    const worker = startOtetsudai({ ...alone(), engine, ingest, slots: 1 });
    stack.defer(() => worker.close());
    return { engine, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }
  const graph = (job: Awaited<ReturnType<typeof begun>>["job"]) =>
    [{ title: job.ref.title, plan: job.ref.plan }, [{ job, priority: VIEWER_PRIORITIES + 1 }]] as const;

  test("ends ffmpeg within two seconds when the title is cancelled, and does not begin again", async () => {
    const { copy, held, job, ingest } = await begun();
    await using queue = await working(ingest);
    await queue.engine.addGraph(...graph(job));
    await held.reached;
    await onlyFfmpeg(copy.path);
    const gone = Promise.race([ffmpegGone(copy.path).then(() => "gone"), delay(2000, "still there")]);
    await queue.engine.cancelTitle(job.ref.title);
    expect(await gone).toBe("gone");
    expect(await queue.engine.counts()).toMatchObject({ encode: { waiting: 0, active: 0 } });
    expect(await ffmpegsReading(copy.path)).toEqual([]);
    expect(await queue.engine.failures()).toEqual([]);
  });

  test("begins anew when ffmpeg is killed in the middle, and stores the bytes of an undisturbed run", async () => {
    const { copy, held, job, ingest } = await begun();
    await using queue = await working(ingest);
    await queue.engine.addGraph(...graph(job));
    await held.reached;
    process.kill(await onlyFfmpeg(copy.path), "SIGKILL");
    held.release();
    while (Object.keys(await checksums(job.ref)).length < 22) await delay(50);
    expect(await checksums(job.ref)).toEqual(undisturbed);
    const receipts = await chunkReceipts(parts.records, job.ref);
    expect(new Set(receipts.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]));
    await ffmpegGone(copy.path);
    await queue.engine.cancelTitle(job.ref.title);
  });
});
