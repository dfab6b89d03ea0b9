import { type ErrorCode, errorKinds, PipelineError } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { readReason, writeReason } from "./failure-reason.ts";

describe("a failed job's reason", () => {
  test("carries every code and any message there and back", () => {
    for (const code of Object.keys(errorKinds) as ErrorCode[]) {
      const { code: read, message } = readReason(writeReason(new PipelineError(code, "first: line\nsecond")));
      expect({ read, message }).toEqual({ read: code, message: "first: line\nsecond" });
    }
  });

  test("of the queue's own making is internal and kept whole", () => {
    for (const reason of ["job stalled more than allowable limit", "toString: x", "no-such.code: y"]) {
      expect(readReason(reason)).toMatchObject({ code: "internal", message: reason });
    }
  });
});
