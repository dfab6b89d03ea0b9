import { errorKinds, type ErrorCode, PipelineError } from "@gakuen/contracts";
import { expect, test } from "vitest";
import { problemOf } from "./http-problems.ts";

const told = Object.keys(errorKinds).filter((code) => code !== "internal") as ErrorCode[];

test.each(told)("%s is told with its own status, message and whether a retry helps", (code) => {
  const { problem, unexpected } = problemOf(new PipelineError(code, "what to do"), "see the log");
  const { status, retry } = errorKinds[code];
  expect(problem).toEqual({ type: `urn:gakuen:error:${code}`, title: code, status, detail: "what to do", code, retry });
  expect(unexpected).toBe(false);
});

test.each([
  ["an unknown error", new Error("password=hunter2")],
  ["a defect that was noticed", new PipelineError("internal", "password=hunter2")],
  ["something thrown that is no error", "password=hunter2"],
  [
    "another library's error with a status",
    Object.assign(new Error("password=hunter2"), { statusCode: 400, code: "EX" }),
  ],
])("%s is told as internal, without what it says", (_what, error) => {
  const { problem, unexpected } = problemOf(error, "see the log of shoki");
  expect(problem).toMatchObject({ code: "internal", status: 500 });
  expect(problem.detail).toContain("see the log of shoki");
  expect(JSON.stringify(problem)).not.toContain("hunter2");
  expect(unexpected).toBe(true);
});
