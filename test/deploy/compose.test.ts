import { readFileSync } from "node:fs";
import { settings } from "@gakuen/platform";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { z } from "zod";

/** What can be seen in compose.yaml without running it; docker.real.ts runs it. */

const Service = z.object({
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal("ALL")]),
  security_opt: z.tuple([z.literal("no-new-privileges:true")]),
  build: z.object({ dockerfile: z.literal("deploy/Dockerfile"), args: z.object({ SERVICE: z.string() }) }).optional(),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()).default(["default"]),
});
const text = readFileSync(new URL("../../compose.yaml", import.meta.url), "utf8");
const { services } = z.object({ services: z.record(z.string(), Service) }).parse(parse(text, { merge: true }));
const ours = ["fukukaichou", "kaichou", "kaikeishi", "otetsudai", "shoki"];

test("the front door alone can be reached from outside, and from this machine alone", () => {
  const published = Object.entries(services).filter(([, { ports }]) => ports.length > 0);
  expect(published.map(([name, { ports }]) => [name, ports])).toEqual([
    ["fukukaichou", ["127.0.0.1:${GAKUEN_PORT:-8080}:8080"]],
  ]);
});

test("each service is built as what it is, and has the 30 s that it may take to end", () => {
  for (const name of ours) {
    expect(services[name]?.build?.args.SERVICE).toBe(name);
    expect(Number.parseInt(services[name]?.stop_grace_period ?? "", 10)).toBeGreaterThan(30);
  }
});

test("containers are told settings that there are, by value or by file", () => {
  const known = new Set<string>(Object.values(settings).map(({ env }) => env));
  for (const name of ours)
    for (const variable of Object.keys(services[name]?.environment ?? {}))
      if (variable.startsWith("GAKUEN_")) expect(known).toContain(variable.replace(/_FILE$/, ""));
});

test("encoders see the queue's address, and neither the store's credentials nor the secret", () => {
  expect(services["otetsudai"]?.volumes).toEqual(["encoder-keys:/keys:ro"]);
  expect(Object.keys(services["otetsudai"]?.environment ?? {}).toSorted()).toEqual([
    "GAKUEN_KAICHOU_URL",
    "GAKUEN_KAIKEISHI_URL",
    "GAKUEN_QUEUE_URL_FILE",
    "GAKUEN_SHOKI_URL",
    "GAKUEN_SLOTS",
  ]);
});

test("the store is reached by those who have its credentials, and by no others", () => {
  const near = Object.keys(services).filter((name) => services[name]?.networks.includes("stores"));
  expect(near.toSorted()).toEqual(["bucket", "kaichou", "kaikeishi", "shoki", "store"]);
  expect(services["store"]?.networks).toEqual(["stores"]);
});
