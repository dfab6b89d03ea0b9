import { PipelineError } from "@gakuen/contracts";
import { expect, test } from "vitest";
import { createLog, type Log } from "./log.ts";

function collect(format: "pretty" | "json", level: "info" | "debug" = "info"): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level, format, destination: { write: (line) => void lines.push(line) } }), lines };
}

test("a pretty line has time, level, service, message and context in one line", () => {
  const { log, lines } = collect("pretty");
  const service = log.child({ service: "kaikeishi" });
  service.child({ title: "big-buck-bunny-x1", chunk: "v3", attempt: 2 }).info("segment stored");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d info {3}kaikeishi {2}segment stored {2}title=big-buck-bunny-x1 chunk=v3 attempt=2\n$/,
  );
});

test("a pretty line shows the local time of day", () => {
  const { log, lines } = collect("pretty");
  const before = new Date().toTimeString().slice(0, 8);
  log.info("now");
  const after = new Date().toTimeString().slice(0, 8);
  expect([before, after]).toContain(lines[0]?.slice(0, 8));
});

test("values that would run into each other are quoted, so that no line can be forged", () => {
  const { log, lines } = collect("pretty");
  log.warn({ path: "a b", empty: "", two: "x\n12:00:00 info  forged", list: [1, "b"], none: null }, "odd");
  expect(lines[0]).toMatch(
    / warn {3}odd {2}path="a b" empty="" two="x\\n12:00:00 info {2}forged" list=\[1,"b"\] none=null\n$/,
  );
});

test("a message cannot forge a line either", () => {
  const { log, lines } = collect("pretty");
  log.info({ title: "c1\u009b" }, "first\nsecond\u001b[31m");
  expect(lines.join("").trimEnd().split("\n")).toHaveLength(1);
  expect(lines[0]).toContain("first\\nsecond\\u001b[31m  title=c1\\u009b");
});

test("our own errors are told by their message, unexpected ones with their stack", () => {
  const { log, lines } = collect("pretty");
  log.error({ err: new PipelineError("store.full", "the store is full") }, "segment lost");
  expect(lines[0]).toMatch(/ error {2}segment lost {2}code=store\.full error="the store is full"\n$/);
  log.error({ err: new TypeError("x is not a function", { cause: new Error("the root of it") }) }, "oops");
  expect(lines[1]).toMatch(/^.* error {2}oops {2}error="x is not a function.*"\n {4}TypeError: x is not a function/);
  expect(lines[1]).toMatch(/\n {4}.*the root of it/);
  expect(lines[1]).toMatch(/\n {8}at .*log\.test\.ts/);
});

test("JSON lines are pino's, with host and process", () => {
  const { log, lines } = collect("json");
  log.child({ service: "shoki" }).info({ title: "t" }, "published");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: 30,
    service: "shoki",
    title: "t",
    msg: "published",
    pid: process.pid,
  });
});

test("less than the level is not logged", () => {
  const { log, lines } = collect("pretty");
  log.debug("quiet");
  expect(lines).toEqual([]);
  const debug = collect("pretty", "debug");
  debug.log.debug("loud");
  expect(debug.lines).toHaveLength(1);
});
