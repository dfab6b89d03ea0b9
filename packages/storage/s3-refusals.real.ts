import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openS3Store } from "./s3-store.ts";

/** An HTTP server that is no S3 store, for the time of `use`. */
async function withServer(status: number, type: string, body: string, use: (endpoint: string) => Promise<void>) {
  const server = createServer((_request, response) => {
    response.writeHead(status, { "content-type": type }).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await use(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const open = async (endpoint: string): ReturnType<typeof openS3Store> =>
  await openS3Store(new URL(`s3://media?endpoint=${endpoint}`), {});

describe("An S3 store that cannot be used", () => {
  const before = { ...process.env };
  beforeEach(() => {
    process.env = { ...before, AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
  });
  afterEach(() => {
    process.env = before;
  });

  test("because nothing listens there is unavailable, by its address", async () => {
    let closed = "";
    await withServer(200, "text/plain", "", async (endpoint) => void (closed = endpoint));
    await expect(open(closed)).rejects.toMatchObject({ code: "store.unavailable", retry: true });
    await expect(open(closed)).rejects.toThrow(closed);
  });

  test("because what answers is not S3 is a wrong address", async () => {
    await withServer(405, "text/html", "<html>no", async (endpoint) => {
      await expect(open(endpoint)).rejects.toMatchObject({ code: "config.invalid" });
      await expect(open(endpoint)).rejects.toThrow("check the endpoint");
    });
  });

  test("because it is overloaded is unavailable", async () => {
    await withServer(503, "application/xml", "<Error><Code>SlowDown</Code></Error>", async (endpoint) => {
      await expect(open(endpoint)).rejects.toMatchObject({ code: "store.unavailable" });
    });
  });

  test("because it is full says so", async () => {
    await withServer(507, "application/xml", "<Error><Code>InsufficientStorage</Code></Error>", async (endpoint) => {
      await expect(open(endpoint)).rejects.toMatchObject({ code: "store.full" });
    });
  });

  test("for want of credentials says which variables to set", async () => {
    process.env = { PATH: before["PATH"], HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true" };
    await withServer(200, "application/xml", "", async (endpoint) => {
      await expect(open(endpoint)).rejects.toMatchObject({ code: "config.invalid" });
      await expect(open(endpoint)).rejects.toThrow("AWS_ACCESS_KEY_ID");
    });
  });
});
