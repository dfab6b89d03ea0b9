import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PlanSettings, type TitleId } from "@gakuen/contracts";
import { createHttpServer, createTokens, type HttpServer, listen } from "@gakuen/platform";
import { insertTitle } from "@gakuen/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestParts, type TestParts } from "../kaikeishi-uploader/testing.ts";
import { sourceFromKaichou } from "./encoder-address.ts";
import { sourceRoutes } from "./source-bytes.ts";

let parts: TestParts;
let server: HttpServer;
let url: string;
let path: string;
const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));

beforeAll(async () => {
  parts = await openTestParts();
  server = createHttpServer({ log: parts.log, service: "kaichou", version: "0" });
  sourceRoutes(server, parts.records, parts.tokens);
  url = await listen(server, { host: "127.0.0.1", port: 0 });
  path = join(parts.folder, "film.mp4");
  await writeFile(path, bytes);
  await take("film", path);
  await take("gone", join(parts.folder, "gone.mp4"));
});
afterAll(async () => {
  server.server.closeAllConnections();
  await server.close();
  await parts[Symbol.asyncDispose]();
});

async function take(id: string, file: string): Promise<void> {
  const source = { kind: "file" as const, path: file };
  const settings = PlanSettings.parse({});
  await insertTitle(parts.records, { id: id as TitleId, name: id, source, settings, priority: 8 });
}

/** The address that an encoder gets for a title's source. */
async function address(title = "film", tokens = parts.tokens): Promise<string> {
  const given = await sourceFromKaichou(tokens, () => url)(title as TitleId, { kind: "file", path });
  return given.kind === "http" ? given.url : "";
}
const get = async (headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
  fetch(await address(), { method, headers });

describe("a local source, for encoders on other machines", () => {
  test("is given whole", async () => {
    const response = await get();
    expect(response.status).toBe(200);
    expect(response.headers.get("accept-ranges")).toBe("bytes");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    expect(await readFile(path)).toEqual(bytes);
  });

  test.each([
    ["bytes=0-0", 0, 1],
    ["bytes=1000-1999", 1000, 2000],
    ["bytes=299990-", 299_990, 300_000],
    ["bytes=-10", 299_990, 300_000],
    ["bytes=299990-999999", 299_990, 300_000],
  ])("is given by range: %s", async (range, start, end) => {
    const response = await get({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/300000`);
    expect(response.headers.get("content-length")).toBe(`${end - start}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes.subarray(start, end));
  });

  test("answers a range beyond its end with its length", async () => {
    const response = await get({ range: "bytes=300000-" });
    expect(response.status).toBe(416);
    expect(response.headers.get("content-range")).toBe("bytes */300000");
  });

  test("tells its length without being read", async () => {
    const response = await get({}, "HEAD");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("300000");
  });

  test("is given to nobody without a token for exactly this title", async () => {
    const sources = `${url}/sources/film`;
    const signed = async (purpose: string, seconds = 60) =>
      `${sources}?token=${await parts.tokens.sign(purpose, { title: "film" }, seconds)}`;
    const refused = [
      sources,
      `${sources}?token=wrong`,
      await signed("source", -1),
      await signed("ingest"),
      await address("film", createTokens("another secret")),
    ];
    for (const wrong of refused) {
      const response = await fetch(wrong);
      expect(response.status, wrong).toBe(401);
      expect(await response.json()).toMatchObject({ code: "ingest.unauthorized" });
    }
    const ofAnother = (await address("gone")).replace("/gone?", "/film?");
    expect((await fetch(ofAnother)).status).toBe(404);
  });

  test("that has vanished is said to have vanished", async () => {
    await rm(join(parts.folder, "gone.mp4"), { force: true });
    const response = await fetch(await address("gone"));
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "source.not-found" });
  });

  test("on the web stays where it is", async () => {
    const web = { kind: "http" as const, url: "https://example.org/film.mp4" };
    expect(await sourceFromKaichou(parts.tokens, () => url)("film" as TitleId, web)).toEqual(web);
  });
});
