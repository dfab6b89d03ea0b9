import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type EncodeJob,
  type Ingest,
  type Inspection,
  type Plan,
  type PlanId,
  PlanSettings,
  planIdOf,
  type SourceAddress,
  TitleId,
  TrackId,
} from "@gakuen/contracts";
import { inspectSource } from "@gakuen/ffmpeg";
import type { CmafPart } from "@gakuen/media";
import { encodeJob, planTitle } from "@gakuen/pipeline";
import { createLog, createTokens, type Log, type Tokens } from "@gakuen/platform";
import { insertTitle, moveTitle, openRecords, type Records, savePlan } from "@gakuen/records";
import { withTestDatabase } from "@gakuen/records/testing";
import { type ObjectStore, openFileStore } from "@gakuen/storage";
import { encodeChunk, madeByFfmpeg, soundSource } from "../../test/fixtures/index.ts";
import { trackBody } from "../otetsudai-encoder/track-body.ts";
import { createKaikeishi } from "./kaikeishi.ts";

export const tools = { ffmpeg: "ffmpeg", ffprobe: "ffprobe", version: "" };

/** Real parts of a service: a database of its own, a store in a folder, and the uploader on both. */
export interface TestParts extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly folder: string;
  readonly records: Records;
  readonly store: ObjectStore;
  readonly tokens: Tokens;
  readonly log: Log;
  readonly kaikeishi: Ingest;
}

export async function openTestParts(): Promise<TestParts> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "gakuen-test-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const database = stack.use(await withTestDatabase());
  const log = createLog({ level: "silent", format: "json" });
  const records = stack.use(await openRecords({ url: database.url, log }));
  const store = await openFileStore(join(folder, "store"));
  const tokens = createTokens("a secret for tests");
  const kaikeishi = createKaikeishi({ records, store, tokens, log });
  const opened = stack.move();
  return {
    databaseUrl: database.url,
    folder,
    records,
    store,
    tokens,
    log,
    kaikeishi,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A store with some of its calls done otherwise. */
export const storeWith = (store: ObjectStore, otherwise: Partial<ObjectStore>): ObjectStore => ({
  put: store.put.bind(store),
  putIfAbsent: store.putIfAbsent.bind(store),
  get: store.get.bind(store),
  stat: store.stat.bind(store),
  presignGet: store.presignGet.bind(store),
  list: store.list.bind(store),
  delete: store.delete.bind(store),
  deletePrefix: store.deletePrefix.bind(store),
  ...otherwise,
});

export interface PlannedFilm {
  readonly source: SourceAddress;
  readonly inspection: Inspection;
  readonly plan: Plan;
  readonly planId: PlanId;
}

/**
 * Twelve noisy seconds in segments of one second: v0-low and v0-rest make segment 1 of a rung each, v1 segments 2 to 12
 * of v144 and v120, a1-0 the sound. Noise, so that no pipe's buffer holds a whole track.
 */
export async function plannedFilm(): Promise<PlannedFilm> {
  const sound = soundSource({ sampleRate: 48_000, signal: "sweep", seconds: 12 });
  const path = await madeByFfmpeg(
    "noisy-film.mp4",
    [
      ["-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=12,noise=alls=40:allf=t"],
      ["-f", "lavfi", "-i", sound],
      ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac"],
      ["-movflags", "+faststart"],
    ].flat(),
  );
  return planFile(path);
}

async function planFile(path: string): Promise<PlannedFilm> {
  const source: SourceAddress = { kind: "file", path };
  const inspection = await inspectSource(source, { tools, signal: AbortSignal.timeout(60_000) });
  const settings = PlanSettings.parse({ preset: "ultrafast", rungs: [144, 120], segmentSeconds: 1 });
  const { plan } = planTitle(inspection, settings);
  plan.chunks = withOneLongChunk(plan.chunks);
  return { source, inspection, plan, planId: planIdOf(plan) };
}

/** So short a film has only short chunks; here v1 goes on to the film's end, as a chunk in the middle of a long one. */
function withOneLongChunk(chunks: Plan["chunks"]): Plan["chunks"] {
  const last = chunks.findLast((chunk) => chunk.kind === "video");
  return chunks.flatMap((chunk) => {
    if (chunk.kind !== "video" || chunk.firstSegment === 1 || !last) return [chunk];
    if (chunk.id !== "v1") return [];
    return [{ ...chunk, segments: last.firstSegment + last.segments - chunk.firstSegment, endFrame: last.endFrame }];
  });
}

let titles = 0;

/** A new title of this film in the state `encoding`; no job of it is queued. */
export async function titleInEncoding({ records }: TestParts, film: PlannedFilm): Promise<TitleId> {
  const id = TitleId.parse(`film-${process.pid}-${++titles}`);
  await insertTitle(records, { id, name: id, source: film.source, settings: PlanSettings.parse({}), priority: 8 });
  await moveTitle(records, id, { from: ["waiting"], to: "preparing" });
  await savePlan(records, id, film);
  return id;
}

/** The job that makes this chunk of a title, with a valid grant. */
export async function chunkJob(
  { tokens }: Pick<TestParts, "tokens">,
  film: PlannedFilm,
  title: TitleId,
  chunkId: string,
): Promise<EncodeJob> {
  const chunk = film.plan.chunks.find(({ id }) => id === chunkId);
  if (!chunk) throw new Error(`the film has no chunk ${chunkId}`);
  const ref = { title, plan: film.planId, chunk: chunk.id };
  return encodeJob(ref, film.plan, chunk, film.source, await tokens.sign("grant", ref, 600));
}

/** What an encoder sends of a chunk, by track: the init segment, then the chunk's segments. */
export async function encodedParts(job: EncodeJob): Promise<ReadonlyMap<string, readonly CmafPart[]>> {
  const outputs = await encodeChunk(job);
  const tracks = job.tracks.map(async (track, index) => {
    const output = (async function* () {
      yield outputs[index] ?? Buffer.alloc(0);
    })();
    return [track.id, await Array.fromAsync(trackBody(job, index, output))] as const;
  });
  return new Map(await Promise.all(tracks));
}

/** Parts as they go over the wire, in pieces that have nothing to do with boxes. */
export async function* sent(parts: readonly CmafPart[], pieceBytes = 5000): AsyncGenerator<Buffer> {
  const bytes = Buffer.concat(parts.map((part) => part.bytes));
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export const trackId = (id: string): TrackId => TrackId.parse(id);

/** A signal that never fires. */
export const never = (): AbortSignal => new AbortController().signal;
