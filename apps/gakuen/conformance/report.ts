/** What became of one check. */
export interface Outcome {
  /** The clause of docs/contracts that it is about, for instance `I-4`. */
  readonly clause: string;
  /** What is promised there, as a sentence. */
  readonly promise: string;
  readonly result: "pass" | "fail" | "skipped";
  /** Why it failed or was skipped; empty where it passed. */
  readonly reason: string;
}

/** Takes checks one after another and remembers what became of them. */
export interface Report {
  readonly outcomes: readonly Outcome[];
  /** A check fails when `run` throws; the others go on. */
  check(clause: string, promise: string, run: () => Promise<void> | void): Promise<void>;
  skip(clause: string, promise: string, why: string): void;
}

/** Longest time for one check: an implementation that never answers fails it. */
const CHECK_LIMIT_MS = 90_000;

export function createReport(onOutcome: (outcome: Outcome) => void): Report {
  const outcomes: Outcome[] = [];
  const note = (outcome: Outcome): void => {
    outcomes.push(outcome);
    onOutcome(outcome);
  };
  return {
    outcomes,
    async check(clause, promise, run) {
      try {
        await withinLimit(run);
        note({ clause, promise, result: "pass", reason: "" });
      } catch (error) {
        note({ clause, promise, result: "fail", reason: error instanceof Error ? error.message : String(error) });
      }
    },
    skip: (clause, promise, why) => note({ clause, promise, result: "skipped", reason: why }),
  };
}

async function withinLimit(run: () => Promise<void> | void): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`nothing came within ${CHECK_LIMIT_MS / 1000} s`)),
    CHECK_LIMIT_MS,
  );
  try {
    await Promise.race([run(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Fails the check unless it holds. */
export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

export function demandEqual(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  demand(a === b, `${what}: ${b} is demanded, ${a} was found`);
}

/** Waits until `look` gives a value; fails with `otherwise` after `limitMs`. */
export async function eventually<T>(
  otherwise: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 30_000,
): Promise<T> {
  const giveUp = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    demand(Date.now() < giveUp, `${otherwise} (waited ${limitMs / 1000} s)`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
