import { expect, test } from "vitest";
import { s3Location } from "./s3-location.ts";

const at = (url: string, environment: Record<string, string> = {}) => s3Location(new URL(url), environment);

test("a bucket alone is Amazon's, as the SDK is configured", () => {
  expect(at("s3://media")).toEqual({
    bucket: "media",
    prefix: "",
    endpoint: undefined,
    region: undefined,
    pathStyle: false,
    google: false,
  });
});

test("a store of one's own is addressed by paths and needs no region", () => {
  expect(at("s3://media/a/b?endpoint=http://10.0.0.1:9000")).toMatchObject({
    prefix: "a/b/",
    endpoint: "http://10.0.0.1:9000",
    region: "us-east-1",
    pathStyle: true,
  });
  expect(at("s3://media?endpoint=https://r2.example&region=auto&pathStyle=false")).toMatchObject({
    region: "auto",
    pathStyle: false,
  });
});

test("the environment says what the URL leaves open", () => {
  const environment = { AWS_ENDPOINT_URL_S3: "http://ceph:8000", AWS_REGION: "eu-central-1" };
  expect(at("s3://media", environment)).toMatchObject({
    endpoint: "http://ceph:8000",
    region: "eu-central-1",
    pathStyle: true,
  });
  expect(at("s3://media?endpoint=http://other&region=x", environment)).toMatchObject({
    endpoint: "http://other",
    region: "x",
  });
  expect(at("s3://media", { AWS_ENDPOINT_URL: "http://all" }).endpoint).toBe("http://all");
  expect(at("s3://media", { AWS_DEFAULT_REGION: "eu-west-1" }).region).toBe("eu-west-1");
});

test("gs: is Google's S3 interface, whatever the environment says of S3", () => {
  expect(at("gs://media/vod", { AWS_ENDPOINT_URL_S3: "http://ceph:8000", AWS_REGION: "x" })).toEqual({
    bucket: "media",
    prefix: "vod/",
    endpoint: "https://storage.googleapis.com",
    region: "auto",
    pathStyle: true,
    google: true,
  });
});

test.each(["/", "//", "/a", "/a/", "//a//b/"])("the path %s is a prefix without empty names", (path) => {
  expect(at(`s3://media${path}`).prefix).toMatch(/^([ab]\/)*$/);
});

test("a prefix may be percent-encoded", () => {
  expect(at("s3://media/%E6%98%A0%E7%94%BB").prefix).toBe("映画/");
});

test.each([
  ["s3:///prefix", "s3://bucket/prefix"],
  ["s3://bucket#a", "s3://bucket/prefix"],
  ["s3://bucket:9000/a", "s3://bucket/prefix"],
  ["s3://bucket?endpiont=http://a", "endpiont"],
  ["s3://bucket?endpoint=10.0.0.1:9000", "http://host:port"],
  ["s3://bucket?endpoint=ftp://a", "http://host:port"],
  ["s3://bucket?pathStyle=yes", "true or false"],
])("%s is refused by naming %j", (url, why) => {
  expect(() => at(url)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  expect(() => at(url)).toThrow(why);
});

test("credentials in the URL are refused and not repeated", () => {
  expect(() => at("s3://id:hunter2@bucket")).toThrow("AWS_SECRET_ACCESS_KEY");
  expect(() => at("s3://id:hunter2@bucket")).not.toThrow("hunter2");
});
