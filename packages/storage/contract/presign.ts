import { describe, expect, test } from "vitest";
import { bytesOf, read, type Suite } from "./suite.ts";

export function describePresign(suite: Suite): void {
  describe("presignGet", () => {
    test("gives a URL by which anyone reads the object, by ranges too, or says that there is none", async () => {
      const key = `${suite.freshPrefix()}/ü 映画+&.mp4`;
      await suite.store.put(key, bytesOf("0123456789"), { contentType: "video/mp4" });
      const url = await suite.store.presignGet(key, { expiresSeconds: 60 });
      if (url === undefined) return;
      const whole = await fetch(url);
      expect([whole.status, whole.headers.get("content-type")]).toEqual([200, "video/mp4"]);
      expect(await whole.text()).toBe("0123456789");
      const part = await fetch(url, { headers: { range: "bytes=3-6" } });
      expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 3-6/10"]);
      expect(await part.text()).toBe("3456");
      const other = await suite.store.presignGet(key, { expiresSeconds: 60, contentType: "text/plain" });
      const renamed = await fetch(other ?? "");
      expect(renamed.headers.get("content-type")).toBe("text/plain");
      await renamed.text();
    });

    test("gives nobody another object, nor the right to write", async () => {
      const prefix = suite.freshPrefix();
      for (const name of ["a", "b"]) await suite.store.put(`${prefix}/${name}`, bytesOf(name));
      const url = await suite.store.presignGet(`${prefix}/a`, { expiresSeconds: 60 });
      if (url === undefined) return;
      expect((await fetch(url.replace(`${prefix}/a`, `${prefix}/b`))).status).toBe(403);
      expect((await fetch(url, { method: "PUT", body: "other" })).status).toBeGreaterThanOrEqual(400);
      expect(await read(suite.store, `${prefix}/a`)).toBe("a");
    });

    test.each([0, -1, 1.5, Number.NaN, 604_801])("refuses to sign for %d seconds", async (expiresSeconds) => {
      const signing = suite.store.presignGet(`${suite.freshPrefix()}/a`, { expiresSeconds });
      await expect(signing).rejects.toMatchObject({ code: "usage.invalid" });
    });
  });
}
