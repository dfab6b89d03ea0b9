/** Lets those who write the same key in this process do so one after another. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does `work` when all that was asked for `key` before is over, however it ended. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = (async () => {
      await before?.catch(() => {});
      return await work();
    })();
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
