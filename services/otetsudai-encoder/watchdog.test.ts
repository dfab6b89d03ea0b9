import type { PipelineError } from "@gakuen/contracts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Watchdog } from "./watchdog.ts";

const LIMIT = 60_000;
let told: PipelineError[];
let watchdog: Watchdog;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  watchdog = new Watchdog(LIMIT, (error) => told.push(error));
});
afterEach(() => {
  watchdog.stop();
  vi.useRealTimers();
});

async function* numbers(): AsyncGenerator<number> {
  yield 1;
  yield 2;
  await new Promise<never>(() => undefined);
}

describe("the watchdog", () => {
  test("calls an encoder stuck once that is quiet for as long as the limit, and says for how long", async () => {
    await vi.advanceTimersByTimeAsync(LIMIT - 1000);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(LIMIT * 3);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ code: "encode.stuck", message: expect.stringContaining("60 s") });
  });

  test("is content while there is progress", async () => {
    for (let step = 0; step < 10; step++) {
      await vi.advanceTimersByTimeAsync(LIMIT / 2);
      watchdog.alive();
    }
    expect(told).toEqual([]);
  });

  test("does not blame the encoder for the time in which a part waits for whoever takes it", async () => {
    const parts = watchdog.passing(numbers());
    await parts.next();
    await vi.advanceTimersByTimeAsync(LIMIT * 10);
    expect(told).toEqual([]);
    await parts.next();
    void parts.next();
    // Now it is the encoder that gives nothing.
    await vi.advanceTimersByTimeAsync(LIMIT + 2000);
    expect(told).toHaveLength(1);
  });

  test("passes every part on, in order, and the end", async () => {
    const three = (async function* () {
      yield* [1, 2, 3];
    })();
    expect(await Array.fromAsync(watchdog.passing(three))).toEqual([1, 2, 3]);
  });

  test("says nothing after it was stopped", async () => {
    watchdog.stop();
    await vi.advanceTimersByTimeAsync(LIMIT * 2);
    expect(told).toEqual([]);
  });
});
