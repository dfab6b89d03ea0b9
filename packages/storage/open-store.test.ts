import { expect, test } from "vitest";
import { openStore } from "./open-store.ts";

test.each(["s3+ftp://bucket/prefix", "memory:", "http://127.0.0.1/store"])(
  "%s is refused by naming what is supported",
  async (url) => {
    const opening = openStore(url);
    await expect(opening).rejects.toMatchObject({ code: "config.invalid" });
    await expect(opening).rejects.toThrow(/GAKUEN_STORE_URL.*file:\/\/, s3:\/\/, gs:\/\/, azure:\/\//);
  },
);

test.each(["", "/srv/media", "media"])("the path %j, which is no URL, is refused", async (url) => {
  await expect(openStore(url)).rejects.toThrow(/must begin with one of file:\/\//);
});

test.each(["file://host/srv/media", "file:///srv/media?a=b", "file:///srv/media#1", "file:///srv%2Fmedia"])(
  "%s is refused: not all of it would be used",
  async (url) => {
    await expect(openStore(url)).rejects.toMatchObject({ code: "config.invalid" });
  },
);
