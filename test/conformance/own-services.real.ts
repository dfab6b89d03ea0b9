import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { numberedVideo } from "../fixtures/index.ts";
import { conformance, deploy, type Deployment, readyTitle } from "./deployment.ts";

/** The kits for Otetsudai and Shoki wait for leases and held requests: they run with GAKUEN_TEST_CONFORMANCE=long. */
const long = process.env["GAKUEN_TEST_CONFORMANCE"] === "long";

let deployment: Deployment;
beforeAll(async () => {
  deployment = await deploy();
});
afterAll(() => deployment[Symbol.asyncDispose]());

const film = (): Promise<string> =>
  numberedVideo({
    rate: "24",
    frames: 240,
    size: { width: 320, height: 180 },
    sound: { codec: "aac", sampleRate: 48_000, signal: "sweep", seconds: 10 },
  });

test("our Kaikeishi keeps its contract", async () => {
  await using _kaikeishi = await deployment.start("kaikeishi");
  const result = await conformance(["kaikeishi", "--url", deployment.urls.kaikeishi], deployment.env);
  expect(result).toMatchObject({ code: 0, failed: [], skipped: 0 });
  expect(result.passed).toBeGreaterThan(30);
});

test.runIf(long)("our Otetsudai keeps its contract", async () => {
  await using _otetsudai = await deployment.start("otetsudai");
  const result = await conformance(["otetsudai", "--url", deployment.urls.kaikeishi], deployment.env);
  // It hands chunks back in test/e2e/five-processes.real.ts, after the 20 s that it gives them.
  expect(result).toMatchObject({ code: 0, failed: [], skipped: 1 });
  expect(result.passed).toBeGreaterThan(20);
});

test("our Kaichou keeps its contract", async () => {
  await using _kaichou = await deployment.start("kaichou");
  await using _shoki = await deployment.start("shoki");
  const result = await conformance(["kaichou", "--url", deployment.urls.kaichou], deployment.env);
  expect(result).toMatchObject({ code: 0, failed: [], skipped: 0 });
  expect(result.passed).toBeGreaterThan(20);
});

test.runIf(long)(
  "our Shoki keeps its contract, for a title that is ready and one of which nothing is encoded",
  async () => {
    await using shoki = await deployment.start("shoki");
    const id = await (async () => {
      // Ended before the kit puts a title there of which nothing shall be encoded.
      await using _kaichou = await deployment.start("kaichou");
      await using _kaikeishi = await deployment.start("kaikeishi");
      await using _otetsudai = await deployment.start("otetsudai");
      return await readyTitle(deployment, shoki, await film());
    })();
    const result = await conformance(["shoki", "--url", deployment.urls.shoki, "--title", id], deployment.env);
    expect(result).toMatchObject({ code: 0, failed: [], skipped: 0 });
    expect(result.passed).toBeGreaterThan(25);
  },
);

test("what is no Shoki fails, with exit code 65, and each failure names its clause", async () => {
  const server = createServer((_, response) => void response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const none = { ...deployment.env, GAKUEN_DATABASE_URL: undefined };
  const result = await conformance(["shoki", "--url", url], none);
  server.close();
  expect(result).toMatchObject({ code: 65, passed: 1, skipped: 2 });
  expect(result.failed).toContainEqual(
    "D-2 answers 404 for a title that does not exist: 404 title.not-found is demanded, 200 was answered: hello",
  );
});
