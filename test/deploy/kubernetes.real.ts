import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createLog } from "@gakuen/platform";
import { withTestDatabase } from "@gakuen/records/testing";
import { openEngine } from "@gakuen/engine";
import { Client } from "pg";
import { expect, test } from "vitest";
import { z } from "zod";
import { sampleEncode, samplePublish } from "../../packages/engine/sample-jobs.ts";
import { kubernetesFolder, manifestsOf, parseManifests } from "./manifests.ts";

const run = promisify(execFile);
const hasKubectl = await run("kubectl", ["version", "--client"]).then(
  () => true,
  () => false,
);

const Query = z.object({ triggers: z.tuple([z.object({ metadata: z.object({ query: z.string() }) })]) });
const scaled = [...manifestsOf("autoscaled").values()].flat().find(({ kind }) => kind === "ScaledObject");
const { query } = Query.parse(scaled?.["spec"]).triggers[0].metadata;

test("the autoscaler's query counts the chunks that wait or are being encoded", async () => {
  await using database = await withTestDatabase();
  const log = createLog({ level: "error", format: "json" });
  await using engine = await openEngine({ url: database.url, log });
  await using stack = new AsyncDisposableStack();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  stack.defer(() => client.end());
  const depth = async (): Promise<number> => {
    const { rows } = await client.query<{ count: string }>(query);
    return Number(rows[0]?.count);
  };

  expect(await depth()).toBe(0);
  const [title, chunks] = ["the-film-x7k2mn", ["v0", "v1", "v2"]];
  const encodes = chunks.map((chunk) => ({ job: sampleEncode(title, chunk), priority: 100 }));
  await engine.addGraph(samplePublish(title), encodes);
  expect(await depth()).toBe(3);

  const encoded = Promise.withResolvers<void>();
  const worker = engine.workEncode(() => encoded.promise, { slots: 1 });
  await expect.poll(async () => (await engine.counts()).encode.active).toBe(1);
  expect(await depth()).toBe(3);
  encoded.resolve();
  await expect.poll(depth).toBe(0);
  await worker.close();
});

test.skipIf(!hasKubectl)(
  "kubectl puts the manifests together: all in one namespace, the encoders' number left open",
  async () => {
    const render = async (folder: string) =>
      parseManifests((await run("kubectl", ["kustomize", join(kubernetesFolder, folder)])).stdout);
    const [base, autoscaled] = await Promise.all([render("base"), render("autoscaled")]);
    for (const { kind, metadata } of [...base, ...autoscaled])
      expect([kind, metadata.namespace]).toEqual([kind, kind === "Namespace" ? undefined : "gakuen"]);
    expect(autoscaled).toHaveLength(base.length + 2);
    const encoders = (manifests: typeof base) =>
      manifests.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "otetsudai")?.["spec"];
    expect(encoders(base)).toHaveProperty("replicas", 2);
    expect(encoders(autoscaled)).not.toHaveProperty("replicas");
    expect(JSON.stringify(encoders(base))).toContain('"image":"registry.example.org/gakuen-otetsudai:0.1.0"');
  },
);
