import { type EncodeJob, PipelineError, Plan, type TitleId } from "@gakuen/contracts";
import { openEngine } from "@gakuen/engine";
import { createLog, createTokens } from "@gakuen/platform";
import type { KaichouClient } from "./conform-kaichou.ts";
import { demand, demandEqual, eventually, type Report } from "./report.ts";
import type { SampleFilm } from "./sample-film.ts";
import { demandStatus, readJson, sendRequest } from "./send-request.ts";
import type { Subject } from "./subject.ts";

interface Jobs {
  readonly subject: Subject;
  readonly report: Report;
  readonly client: KaichouClient;
  readonly film: SampleFilm;
}

const SLOTS = 64;

/** K-8 and K-9: the kit takes the encode jobs of a title out of the queue, as an encoder, and fails them. */
export async function conformJobs({ subject, report, client, film }: Jobs): Promise<void> {
  const { queueUrl } = subject.config;
  if (queueUrl === undefined)
    return report.skip(
      "K-8",
      "queues a job for each chunk",
      "give --queue-url: the kit takes the jobs, so no encoder may run",
    );
  await using engine = await openEngine({ url: queueUrl, log: createLog({ level: "silent", format: "json" }) });
  const taken: EncodeJob[] = [];
  const looked = Promise.withResolvers<void>();
  const worker = engine.workEncode(
    async (job, { signal }) => {
      taken.push(job);
      const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.race([looked.promise, stopped]);
      signal.throwIfAborted();
      // Trying it again is no use, so the job fails for good at once.
      throw new PipelineError("ingest.too-large", "the conformance kit fails this chunk on purpose");
    },
    { slots: SLOTS },
  );
  const id = await client.add(film.path);
  const own = (): EncodeJob[] => taken.filter(({ ref }) => ref.title === (id as TitleId));
  await report.check(
    "K-8",
    "queues a job for each chunk of the plan, as its schema says, with a grant for it",
    async () => {
      await client.reaches(id, "encoding");
      const plan = readJson(
        await sendRequest(new URL(`/api/titles/${id}/plan`, subject.config.shokiUrl)),
        Plan,
        "the plan",
      );
      const chunks = plan.chunks.map((chunk) => chunk.id).toSorted();
      await eventually(
        "jobs are missing; does an encoder run on this queue?",
        () => own().length >= chunks.length,
        10_000,
      );
      demandEqual(
        "the chunks",
        own()
          .map(({ ref }) => ref.chunk)
          .toSorted(),
        chunks,
      );
      for (const { ref, grant } of own()) {
        if (subject.secret === undefined) break;
        const { title, plan: planId, chunk } = await createTokens(subject.secret).verify("grant", grant);
        demandEqual(`the grant of ${ref.chunk}`, [title, planId, chunk], [ref.title, ref.plan, ref.chunk]);
      }
    },
  );
  await report.check("K-8", "gives each job an address at which its source is read by range", async () => {
    const [job] = own();
    demand(job?.source.kind === "http", "the source is no address, so only an encoder on this machine can read it");
    const answer = await sendRequest(job.source.url, { headers: { range: "bytes=0-99" } });
    demandStatus(answer, 206);
    demandEqual("the bytes", answer.body.length, 100);
  });
  await report.check("K-9", "fails the title with the reason of the job that failed", async () => {
    looked.resolve();
    const { error } = await client.reaches(id, "failed");
    demandEqual("the title's error", error?.code, "ingest.too-large");
    await eventually("jobs of the title are left", async () => {
      const { encode } = await engine.counts();
      return encode.waiting + encode.active === 0;
    });
  });
  looked.resolve();
  await worker.close();
}
