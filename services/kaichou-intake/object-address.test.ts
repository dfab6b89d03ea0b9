import { expect, test } from "vitest";
import { objectIn, parseObjectAddress, plainUrl } from "./object-address.ts";
import { parseSource } from "./source-address.ts";

test("an object's URL says bucket, key and how the store is reached", () => {
  const query = "?endpoint=http://127.0.0.1:7480&region=r";
  const address = parseObjectAddress(`s3://films/a b/100%25 %3F.mp4${query}`);
  expect(address).toEqual({
    url: `s3://films/a%20b/100%25%20%3F.mp4${query}`,
    storeUrl: `s3://films${query}`,
    key: "a b/100% ?.mp4",
  });
  expect(parseObjectAddress(address.url)).toEqual(address);
  expect(objectIn(address.storeUrl, address.key)).toEqual(address);
});

test.each([
  "s3://films",
  "s3://films/",
  "s3://films/folder/",
  "s3:///film.mp4",
  "s3://films/a#b.mp4",
  "s3://films/%zz",
])("%s is refused: it names no object", (wrong) => {
  expect(() => parseSource(wrong)).toThrow(expect.objectContaining({ code: "usage.invalid" }));
});

test.each([
  [{}, "s3://films/a b.mp4", "https://films.s3.amazonaws.com/a%20b.mp4"],
  [{}, "s3://films/a.mp4?region=eu-west-1", "https://films.s3.eu-west-1.amazonaws.com/a.mp4"],
  [{ AWS_ENDPOINT_URL_S3: "http://ceph:7480/" }, "s3://films/a.mp4", "http://ceph:7480/films/a.mp4"],
  [{ AWS_ENDPOINT_URL_S3: "http://ceph" }, "s3://films/a.mp4?endpoint=http://other", "http://other/films/a.mp4"],
])("with the environment %o the source %s is shown as %s", (env, source, shown) => {
  expect(plainUrl(parseObjectAddress(source), env)).toBe(shown);
});
