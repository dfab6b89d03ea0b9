import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { settings } from "@gakuen/platform";
import { describe, expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../deploy/systemd/", import.meta.url));
const read = (file: string): string => readFileSync(join(folder, file), "utf8");
const valuesOf = (text: string, key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);

const units = readdirSync(folder).filter((file) => file.endsWith(".service"));
const common = read("gakuen-.service.d/confined.conf");
const known = new Set<string>([
  ...Object.values(settings).map(({ env }) => env),
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
]);

test("there is a unit for each service", () => {
  expect(units.toSorted()).toEqual([
    "gakuen-fukukaichou.service",
    "gakuen-kaichou.service",
    "gakuen-kaikeishi.service",
    "gakuen-otetsudai@.service",
    "gakuen-shoki.service",
  ]);
});

test("a service has the 30 s that it may take to end, and its ffmpegs are left to it", () => {
  expect(Number(valuesOf(common, "TimeoutStopSec")[0])).toBeGreaterThan(30);
  expect(valuesOf(common, "KillMode")).toEqual(["mixed"]);
});

describe.each(units)("%s", (file) => {
  const unit = read(file);

  test("starts what it is named after", () => {
    const [, service] = /^gakuen-([a-z]+)/.exec(file) ?? [];
    expect(valuesOf(unit, "ExecStart")).toEqual([`/opt/gakuen/node_modules/.bin/gakuen ${service}`]);
  });

  test("reads settings of which there are examples, and none that there is not", () => {
    for (const path of valuesOf(unit, "EnvironmentFile")) {
      const example = read(`${path.replace("/etc/gakuen/", "")}.example`);
      for (const [, name] of example.matchAll(/^#?([A-Z_]+)=/gm)) expect(known).toContain(name);
    }
  });

  test("is told the secrets of the records and the store only if it keeps them", () => {
    const keeps = /kaichou\.|kaikeishi|shoki/.test(file) && !file.includes("fukukaichou");
    expect(valuesOf(unit, "EnvironmentFile").includes("/etc/gakuen/keepers.env")).toBe(keeps);
  });
});
