import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PipelineError } from "@gakuen/contracts";
import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";
import { type SettingName, settings } from "./settings.ts";

function complaintOf(env: NodeJS.ProcessEnv, flags = {}): string {
  try {
    loadConfig({ env, flags });
  } catch (error) {
    if (error instanceof PipelineError && error.code === "config.invalid") return error.message;
    throw error;
  }
  throw new Error("the configuration was taken");
}

test("without any setting everything has its default, in and around the folder ./data", () => {
  const config = loadConfig({ env: {} });
  expect({ ...config, secret: undefined }).toEqual({
    dataDir: resolve("data"),
    databaseUrl: undefined,
    queueUrl: undefined,
    storeUrl: pathToFileURL(resolve("data/store")).href,
    replicaUrl: undefined,
    watch: [],
    host: "127.0.0.1",
    port: undefined,
    secret: undefined,
    slots: availableParallelism(),
    logLevel: "info",
    logFormat: "pretty",
    kaichouUrl: "http://127.0.0.1:8081",
    kaichouOwnUrl: "http://127.0.0.1:8081",
    kaikeishiUrl: "http://127.0.0.1:8082",
    shokiUrl: "http://127.0.0.1:8083",
    ffmpeg: "ffmpeg",
    ffprobe: "ffprobe",
    publicUrl: undefined,
  });
});

const values: Record<SettingName, [given: string, taken: unknown]> = {
  dataDir: ["/srv/gakuen data", "/srv/gakuen data"],
  databaseUrl: ["postgres://u:p@db/gakuen", "postgres://u:p@db/gakuen"],
  queueUrl: ["redis://:p@queue/1", "redis://:p@queue/1"],
  storeUrl: ["s3://bucket/prefix?endpoint=http://s3", "s3://bucket/prefix?endpoint=http://s3"],
  replicaUrl: ["file:///srv/copy", "file:///srv/copy"],
  watch: ["/srv/in, s3://b/p?region=r", ["/srv/in", "s3://b/p?region=r"]],
  host: ["0.0.0.0", "0.0.0.0"],
  port: ["0", 0],
  secret: ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"],
  slots: ["8", 8],
  logLevel: ["debug", "debug"],
  logFormat: ["json", "json"],
  kaichouUrl: ["https://kaichou.example/", "https://kaichou.example"],
  kaichouOwnUrl: ["http://10.0.0.7:8081/", "http://10.0.0.7:8081"],
  kaikeishiUrl: ["http://kaikeishi:8082", "http://kaikeishi:8082"],
  shokiUrl: ["http://shoki:8083//", "http://shoki:8083"],
  ffmpeg: ["/opt/ffmpeg/bin/ffmpeg", "/opt/ffmpeg/bin/ffmpeg"],
  ffprobe: ["nice-ffprobe", "nice-ffprobe"],
  publicUrl: ["https://films.example/watch/", "https://films.example/watch"],
};

test.each(Object.entries(values))("%s is taken from its variable and from its flag", (name, [given, taken]) => {
  const setting = settings[name as SettingName];
  expect(loadConfig({ env: { [setting.env]: given } })[name as SettingName]).toEqual(taken);
  const nonsense = loadConfig({ env: { [setting.env]: "nonsense" }, flags: { [name]: given } });
  expect(nonsense[name as SettingName]).toEqual(taken);
});

test("a number may be given as a number", () => {
  expect(loadConfig({ env: {}, flags: { port: 9000, slots: 3 } })).toMatchObject({ port: 9000, slots: 3 });
});

test("what is empty or undefined counts as not given", () => {
  const env = Object.fromEntries(Object.values(settings).map((setting) => [setting.env, " "]));
  const config = loadConfig({ env, flags: { port: undefined, host: "" } });
  expect(config).toMatchObject({
    port: undefined,
    host: "127.0.0.1",
    slots: availableParallelism(),
    publicUrl: undefined,
  });
  expect(loadConfig({ env: { GAKUEN_PORT: "81" }, flags: { port: undefined } }).port).toBe(81);
});

test("the queue is the database unless it has its own", () => {
  const GAKUEN_DATABASE_URL = "postgres://db/gakuen";
  expect(loadConfig({ env: { GAKUEN_DATABASE_URL } }).queueUrl).toBe(GAKUEN_DATABASE_URL);
});

test("the default store stays in a data folder with signs that mean something in URLs", () => {
  expect(loadConfig({ env: { GAKUEN_DATA_DIR: "/srv/a #1?" } }).storeUrl).toBe("file:///srv/a%20%231%3F/store");
});

test.each([
  ["GAKUEN_PORT", "65536", 'GAKUEN_PORT is "65536"; it must be a whole number from 0 to 65535'],
  ["GAKUEN_PORT", "-1", 'GAKUEN_PORT is "-1"; it must be a whole number from 0 to 65535'],
  ["GAKUEN_PORT", "0x50", 'GAKUEN_PORT is "0x50"; it must be a whole number from 0 to 65535'],
  ["GAKUEN_SLOTS", "0", 'GAKUEN_SLOTS is "0"; it must be a whole number from 1 to 1024'],
  ["GAKUEN_SLOTS", "1.5", 'GAKUEN_SLOTS is "1.5"; it must be a whole number from 1 to 1024'],
  ["GAKUEN_LOG_FORMAT", "xml", 'GAKUEN_LOG_FORMAT is "xml"; it must be one of pretty, json'],
  ["GAKUEN_STORE_URL", "store", 'GAKUEN_STORE_URL is "store"; it must be a URL, for instance file:///srv/media'],
  ["GAKUEN_SHOKI_URL", "shoki:80", 'GAKUEN_SHOKI_URL is "shoki:80"; it must be a URL that begins with http://'],
])("%s=%s is refused by naming the variable, the value and what is allowed", (name, value, message) => {
  expect(complaintOf({ [name]: value })).toContain(message);
});

test("a bad flag is named as the flag", () => {
  expect(complaintOf({}, { logLevel: "loud" })).toMatch(/^--log-level is "loud"; it must be one of trace, debug, /);
});

test("all that is wrong is told at once, and nothing that is secret", () => {
  const complaint = complaintOf({
    GAKUEN_PORT: "http",
    GAKUEN_SECRET: "hunter2",
    GAKUEN_DATABASE_URL: "mysql://root:hunter2@db",
    GAKUEN_QUEUE_URL: "hunter2",
  });
  expect(complaint.split("\n")).toHaveLength(4);
  expect(complaint).toContain("GAKUEN_SECRET has a value that does not do; it must be at least 32 characters long");
  expect(complaint).toContain("GAKUEN_DATABASE_URL");
  expect(complaint).not.toContain("hunter2");
});

test("every setting is described, and its flag is its variable in another spelling", () => {
  for (const [name, setting] of Object.entries(settings)) {
    const words = setting.flag.slice("--".length).split("-");
    expect(setting.env).toBe(`GAKUEN_${words.join("_").toUpperCase()}`);
    // The name under which a command line parser gives the flag.
    expect(name).toBe(
      words.map((word, i) => (i === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1))).join(""),
    );
    expect(setting.description).not.toBe("");
    expect(setting.default).not.toBe("");
  }
});

test("watched places are folders, made absolute, and URLs of buckets and folders", () => {
  const places = loadConfig({ env: { GAKUEN_WATCH: "incoming,,file:///srv/a%2Cb ,s3://bucket" } }).watch;
  expect(places).toEqual([resolve("incoming"), "file:///srv/a%2Cb", "s3://bucket"]);
  expect(complaintOf({ GAKUEN_WATCH: "/srv/in,https://example.org/films" })).toContain("folders and s3:// URLs");
});
