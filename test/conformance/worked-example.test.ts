import { readFileSync } from "node:fs";
import { encodeJob } from "@gakuen/pipeline";
import { EncodeJob, Plan, planIdOf, segmentSpans } from "@gakuen/contracts";
import { type CmafPart, readFragment, readInit, splitCmaf } from "@gakuen/media";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";

/** docs/contracts/ingest.md shows these bytes. */
const path = new URL("../../docs/contracts/examples/tiny-film.json", import.meta.url);
const text: unknown = JSON.parse(readFileSync(path, "utf8"));
const { plan, job, body } = z.object({ plan: Plan, job: EncodeJob, body: z.array(z.string()) }).parse(text);

let parts: CmafPart[];
beforeAll(async () => {
  const bytes = (async function* () {
    yield Buffer.from(body.join(""), "hex");
  })();
  parts = await Array.fromAsync(splitCmaf(bytes, { maxPartBytes: 10_000 }));
});

describe("the worked example of the ingest protocol", () => {
  test("has a job that follows from its plan", () => {
    const chunk = plan.chunks.find(({ id }) => id === job.ref.chunk);
    expect(job.ref.plan).toBe(planIdOf(plan));
    expect(chunk && encodeJob(job.ref, plan, chunk, job.source, job.grant)).toEqual(job);
  });

  test("has a track that is what the plan says", () => {
    const [track] = plan.tracks;
    const [init, segment] = parts;
    if (!track || !init || !segment) throw new Error("a track of two parts");
    const info = readInit(init.bytes);
    expect(info).toMatchObject({ codec: track.codec, timescale: track.timescale, hasEditList: false });
    const [span] = segmentSpans(track, job.chunk.firstSegment, 1);
    expect(readFragment(segment.bytes, info)).toMatchObject({
      sequenceNumber: span?.number,
      decodeTime: span?.start,
      duration: span?.duration,
      samples: 5,
      startsWithSync: true,
      firstPresentationOffset: 0,
    });
  });

  test("is shown byte by byte where a length is told", () => {
    const page = readFileSync(new URL("../../docs/contracts/ingest.md", import.meta.url), "utf8");
    expect(parts.map(({ bytes }) => bytes.length.toString(16))).toEqual(["30d", "714"]);
    for (const { bytes } of parts) expect(page).toContain(`\n${bytes.length.toString(16)}\n…${bytes.length} bytes…`);
    expect(page).toContain(`PUT /ingest/${job.ref.title}/${job.ref.plan}/v36/v1 HTTP/1.1`);
  });
});

describe("the generated JSON Schemas", () => {
  const read = (file: string): unknown =>
    JSON.parse(readFileSync(new URL(`../../docs/contracts/${file}`, import.meta.url), "utf8"));
  const validator = (name: string) =>
    new Ajv2020({ formats: { uri: true } }).compile(read(`schemas/${name}.schema.json`) as object);

  test("hold for every job and plan of the examples, and for no others", () => {
    const isJob = validator("encode-job");
    const examples = z.array(z.object({ job: z.unknown() })).parse(read("examples/arguments.json"));
    for (const example of [...examples.map((each) => each.job), job])
      expect(isJob(example), isJob.errors?.[0]?.message).toBe(true);
    expect(isJob({ ...job, tracks: [] })).toBe(false);
    const isPlan = validator("plan");
    expect(isPlan(plan)).toBe(true);
    expect(isPlan({ ...plan, version: 2 })).toBe(false);
  });

  test("allow fields that a reader does not know (G-2)", () => {
    expect(validator("encode-job")({ ...job, added: "later" })).toBe(true);
  });
});
