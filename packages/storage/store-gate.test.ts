import { PipelineError } from "@gakuen/contracts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { StoreGate } from "./store-gate.ts";

const away = new Error("connection refused");

function gate(): StoreGate {
  return new StoreGate((error, doing) =>
    error === away ? new PipelineError("store.unavailable", `Could not ${doing}: refused`, { cause: error }) : error,
  );
}

/** Work that lasts until it is let go, and how much of it is under way. */
function heldWork() {
  const waiting: (() => void)[] = [];
  const state = { now: 0, most: 0 };
  const work = async (): Promise<void> => {
    state.now += 1;
    state.most = Math.max(state.most, state.now);
    await new Promise<void>((resolve) => waiting.push(resolve));
    state.now -= 1;
  };
  const letGo = async (all: Promise<unknown>): Promise<void> => {
    const state = { ended: false };
    const end = all.finally(() => (state.ended = true));
    while (!state.ended) {
      waiting.shift()?.();
      await new Promise(setImmediate);
    }
    await end;
  };
  return { state, work, letGo };
}

describe("The gate to a store", () => {
  test("lets 32 requests through at a time", async () => {
    const store = gate();
    const { state, work, letGo } = heldWork();
    await letGo(Promise.all(Array.from({ length: 200 }, async () => await store.request("read", undefined, work))));
    expect(state.most).toBe(32);
  });

  test("takes 16 bodies of unknown length at a time", async () => {
    const store = gate();
    const { state, work, letGo } = heldWork();
    await letGo(Promise.all(Array.from({ length: 100 }, async () => await store.stream(undefined, work))));
    expect(state.most).toBe(16);
  });

  test("lets nobody wait for a turn who has been told to stop, and gives the turn to the next", async () => {
    const store = gate();
    const { state, work, letGo } = heldWork();
    const controller = new AbortController();
    const held = Array.from({ length: 16 }, async () => await store.stream(undefined, work));
    const stopped = store.stream(controller.signal, work);
    const next = store.stream(undefined, work);
    controller.abort(new Error("nobody waits any more"));
    await expect(stopped).rejects.toThrow("nobody waits any more");
    await letGo(Promise.all([...held, next]));
    expect(state).toEqual({ now: 0, most: 16 });
  });

  test("gives the signal's reason, not the error that the abort caused", async () => {
    const controller = new AbortController();
    const request = gate().request("read", controller.signal, async () => {
      controller.abort(new Error("the title was removed"));
      throw away;
    });
    await expect(request).rejects.toThrow("the title was removed");
  });

  describe("of a dead store", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
    afterEach(() => void vi.useRealTimers());

    test("asks it through four failures and any of a single call, then once a second", async () => {
      const store = gate();
      let made = 0;
      const ask = async (failure?: Error): Promise<unknown> => {
        const request = store.request("read a", undefined, async () => {
          made += 1;
          if (failure) throw failure;
        });
        return await request.catch((reason: unknown) => reason);
      };

      for (let i = 0; i < 4; i++) await ask(away);
      for (let i = 0; i < 9; i++) await ask(new PipelineError("store.full", "full"));
      expect(await ask(away)).toMatchObject({ message: "Could not read a: refused" });
      expect(made).toBe(14);

      expect(await ask()).toMatchObject({ code: "store.unavailable", message: /tried again every second/ });
      expect(made).toBe(14);
      vi.advanceTimersByTime(1000);
      await Promise.all([ask(away), ask(away), ask(away)]);
      expect(made).toBe(15);

      vi.advanceTimersByTime(1000);
      expect(await ask()).toBeUndefined();
      expect(await ask()).toBeUndefined();
      expect(made).toBe(17);
    });
  });
});
