import { createHash, randomBytes } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { emptyFile, withFile } from "../../test/fixtures/index.ts";
import { openSource } from "./source-reader.ts";

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const content = randomBytes(3_500_000);

async function served<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/film.mp4`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const ranged: RequestListener = (request, response) => {
  const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
  const end = Math.min(Number(to), content.length - 1);
  response.writeHead(206, { "content-range": `bytes ${from}-${end}/${content.length}` });
  response.end(content.subarray(Number(from), end + 1));
};

describe("a source's bytes", () => {
  test("are the same from disk and by http, and so is the fingerprint", async () => {
    await withFile(content, "film.bin", (path) =>
      served(ranged, async (url) => {
        const file = await openSource({ kind: "file", path }, { signal: signal() });
        const http = await openSource({ kind: "http", url }, { signal: signal() });
        for (const source of [file, http]) {
          expect(source.size).toBe(content.length);
          expect(Buffer.from(await source.read(100, 50)).equals(content.subarray(100, 150))).toBe(true);
          expect(Buffer.from(await source.read(2_000_000, 70_000)).equals(content.subarray(2_000_000, 2_070_000))).toBe(
            true,
          );
          expect(await source.read(content.length - 10, 100)).toHaveLength(10);
        }
        const mebibyte = 1024 * 1024;
        const middle = Math.floor((content.length - mebibyte) / 2);
        const expected = createHash("sha256").update(`${content.length}\n`).update(content.subarray(0, mebibyte));
        expected.update(content.subarray(middle, middle + mebibyte)).update(content.subarray(-mebibyte));
        expect(await file.fingerprint()).toBe(`sha256:${expected.digest("hex")}`);
        expect(await http.fingerprint()).toBe(await file.fingerprint());
      }),
    );
  });

  const code = (path: string) => openSource({ kind: "file", path }, { signal: signal() });
  test("are refused with a reason when they are not there, a folder, or nothing", async () => {
    await expect(code("/no/such/film.mp4")).rejects.toMatchObject({ code: "source.not-found" });
    await expect(code(tmpdir())).rejects.toMatchObject({ code: "source.not-media" });
    await expect(code("/dev/null")).rejects.toMatchObject({ code: "source.not-media" });
    await expect(code(await emptyFile())).rejects.toMatchObject({ code: "source.empty" });
  });

  const answers: readonly (readonly [string, RequestListener, string])[] = [
    ["404", (_, response) => response.writeHead(404).end(), "source.not-found"],
    ["403", (_, response) => response.writeHead(403).end(), "source.permission"],
    ["503", (_, response) => response.writeHead(503).end(), "source.unreachable"],
    ["the whole file to a range request", (_, response) => response.writeHead(200).end(content), "source.no-ranges"],
    ["a cut connection", (_, response) => void response.destroy(), "source.unreachable"],
    ["416 for an empty file", (_, response) => response.writeHead(416).end(), "source.empty"],
  ];
  test.for(answers)("%s from a server is told as such", async ([, listener, expected]) => {
    await served(listener, (url) =>
      expect(openSource({ kind: "http", url }, { signal: signal() })).rejects.toMatchObject({ code: expected }),
    );
  });

  test("a server that does not exist is unreachable", async () => {
    const url = await served(ranged, (address) => Promise.resolve(address));
    const open = openSource({ kind: "http", url }, { signal: signal() });
    await expect(open).rejects.toMatchObject({ code: "source.unreachable" });
  });

  test("content that changes while it is read is noticed", async () => {
    let requests = 0;
    const changing: RequestListener = (_, response) => {
      requests += 1;
      response.writeHead(206, { "content-range": `bytes 0-65535/${requests === 1 ? 1_000_000 : 1_000_001}` });
      response.end(content.subarray(0, 65_536));
    };
    await served(changing, async (url) => {
      const source = await openSource({ kind: "http", url }, { signal: signal() });
      await expect(source.read(500_000, 1000)).rejects.toMatchObject({ code: "source.changed" });
    });
  });
});
