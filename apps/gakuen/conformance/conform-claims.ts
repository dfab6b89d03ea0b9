import type { ChunkRef, TitleId } from "@gakuen/contracts";
import { createTokens } from "@gakuen/platform";
import { moveTitle } from "@gakuen/records";
import { type IngestKit, newRef, partsOf, stored } from "./ingest-kit.ts";
import { refOf } from "./placed-title.ts";
import { demandEqual, eventually } from "./report.ts";
import { demandProblem } from "./send-request.ts";

/** I-1 to I-5. */
export async function conformClaims(kit: IngestKit): Promise<void> {
  const { report, client, titles, film } = kit;
  const ref = await newRef(kit);
  const another = createTokens("another secret, long enough for a key of it");
  const wrong: [string, () => Promise<string | undefined>][] = [
    ["no token", async () => undefined],
    ["what is no token", async () => "not-a-token"],
    ["a grant signed with another secret", () => another.sign("grant", { ...ref }, 60)],
    ["a grant that is not signed (alg none)", async () => unsigned({ ...ref, aud: "grant", exp: 4_000_000_000 })],
    ["an expired grant", () => kit.tokens.sign("grant", { ...ref }, -10)],
    ["a token made for another purpose", () => kit.tokens.sign("source", { ...ref }, 60)],
    ["a grant for another chunk", () => kit.tokens.sign("grant", { ...ref, chunk: "v0-low" }, 60)],
    ["a grant for another title", () => kit.tokens.sign("grant", { ...ref, title: "another-title" }, 60)],
  ];
  for (const [what, grant] of wrong)
    await report.check("I-1", `refuses a claim with ${what}`, async () => {
      demandProblem(await client.claimWith(ref, await grant()), "ingest.unauthorized");
    });
  await report.check("I-3", "counts attempts up by one with each claim", async () => {
    const first = await client.open(ref);
    demandEqual("the next attempt", (await client.open(ref)).attempt, first.attempt + 1);
  });
  await report.check("I-5", "answers 410 for a chunk or a plan that the title does not have", async () => {
    const noChunk = { ...ref, chunk: "v999" as ChunkRef["chunk"] };
    demandProblem(await client.claimWith(noChunk, await client.grant(noChunk)), "ingest.title-gone");
    const noPlan = { ...ref, plan: "0".repeat(20) as ChunkRef["plan"] };
    demandProblem(await client.claimWith(noPlan, await client.grant(noPlan)), "ingest.title-gone");
  });
  await report.check("I-5", "answers 410 for a title that was cancelled, also in the middle of a track", async () => {
    const title: TitleId = await titles.place(film);
    const cancelled = refOf(film, title, kit.chunk);
    const { token } = await client.open(cancelled);
    const body = (async function* () {
      yield* partsOf(kit.whole.slice(0, 2));
      await eventually("the first segment was not stored", async () => (await stored(kit, cancelled)).length > 0);
      await moveTitle(titles.records, title, { from: ["encoding"], to: "cancelled" });
      yield* partsOf(kit.whole.slice(2));
    })();
    demandProblem(await client.put(cancelled, kit.track, token, body), "ingest.title-gone");
    demandProblem(await client.claimWith(cancelled, await client.grant(cancelled)), "ingest.title-gone");
  });
}

/** A token as an attacker writes it: no algorithm, no signature. */
function unsigned(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.`;
}
