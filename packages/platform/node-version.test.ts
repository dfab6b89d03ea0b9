import { expect, test } from "vitest";
import { assertNodeVersion } from "./node-version.ts";

test("Node 24 and later will do", () => {
  for (const version of ["24.0.0", "24.21.0", "26.1.0", process.versions.node]) {
    expect(() => assertNodeVersion(version)).not.toThrow();
  }
});

test.each(["18.20.4", "22.12.0", "9.0.0"])("Node %s is refused by saying what runs and what is needed", (version) => {
  expect(() => assertNodeVersion(version)).toThrow(`needs Node 24 or later, but this is Node ${version}`);
});
