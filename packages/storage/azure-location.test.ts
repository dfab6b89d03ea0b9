import { expect, test } from "vitest";
import { azureLocation } from "./azure-location.ts";

const at = (url: string, environment: Record<string, string> = { AZURE_STORAGE_KEY: "a2V5" }) =>
  azureLocation(new URL(url), environment);

test("an account is Azure's own unless an address is given", () => {
  expect(at("azure://films/media/a/b")).toEqual({
    account: "films",
    endpoint: "https://films.blob.core.windows.net",
    container: "media",
    prefix: "a/b/",
    accountKey: "a2V5",
  });
  expect(at("azure://films/media?endpoint=http://127.0.0.1:10000/films/").endpoint).toBe(
    "http://127.0.0.1:10000/films",
  );
});

test("a connection string gives key and address", () => {
  const text =
    "DefaultEndpointsProtocol=https;AccountName=films;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn";
  expect(at("azure://films/media", { AZURE_STORAGE_CONNECTION_STRING: text })).toMatchObject({
    accountKey: "a2V5==",
    endpoint: "https://films.blob.core.chinacloudapi.cn",
  });
  const local = "AccountName=films;AccountKey=a2V5;BlobEndpoint=http://localhost:1/films;";
  expect(at("azure://films/media", { AZURE_STORAGE_CONNECTION_STRING: local }).endpoint).toBe(
    "http://localhost:1/films",
  );
});

test.each([
  ["azure://films", {}, "azure://account/container/prefix"],
  ["azure:///films/media", {}, "azure://account/container/prefix"],
  ["azure://films/media", {}, "AZURE_STORAGE_KEY"],
  ["azure://films/media?region=x", {}, "region"],
  ["azure://films/media", { AZURE_STORAGE_CONNECTION_STRING: "AccountName=other;AccountKey=a" }, "other"],
])("%s with %j is refused by naming %j", (url, environment, why) => {
  expect(() => at(url, environment as Record<string, string>)).toThrow(
    expect.objectContaining({ code: "config.invalid" }),
  );
  expect(() => at(url, environment as Record<string, string>)).toThrow(why);
});
