import {
  type Chunk,
  type ChunkRef,
  chunkOf,
  type Plan,
  type PlanId,
  type TitleId,
  type TrackId,
} from "@gakuen/contracts";
import type { Engine } from "@gakuen/engine";
import { backgroundPriority, viewerPriority } from "@gakuen/pipeline";
import type { Log } from "@gakuen/platform";
import { findReceipt, getTitle, type Receipt, type RecordEvent, type Records } from "@gakuen/records";

export interface WantedSegment {
  readonly title: TitleId;
  readonly planId: PlanId;
  readonly plan: Plan;
  readonly track: TrackId;
  readonly number: number;
}

export interface WaitingRoomParts {
  readonly records: Records;
  readonly engine: Engine;
  readonly log: Log;
}

/**
 * Holds requests for segments that are still to be made. Encoding follows the viewers: whoever asked last goes first,
 * and one who has left counts no more (both are needed: a player that seeks has prefetches of the old place waiting).
 */
export class WaitingRoom {
  readonly #parts: WaitingRoomParts;
  /** Who waits for a segment; called when it may have come. */
  readonly #waiting = new Map<string, Set<() => void>>();
  /** How many wait for each chunk. */
  readonly #watched = new Map<string, number>();
  readonly #unsubscribe: () => void;

  constructor(parts: WaitingRoomParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.records.events.subscribe((event) => this.#wake(event));
  }

  /**
   * The receipt of a segment as soon as there is one; `undefined` when a signal fires first, or the title is not being
   * encoded any more.
   *
   * @param gone fires when the client has left
   * @param timeout fires when the request was held long enough
   */
  async wait(wanted: WantedSegment, gone: AbortSignal, timeout: AbortSignal): Promise<Receipt | undefined> {
    const chunk = chunkOf(wanted.plan, wanted.track, wanted.number);
    if (!chunk) return undefined;
    const ref = { title: wanted.title, plan: wanted.planId, chunk: chunk.id };
    const key = segmentName(wanted);
    const over = AbortSignal.any([gone, timeout]);
    const watched = this.#enter(ref);
    let wake: () => void = () => undefined;
    const woken = (): void => wake();
    const listeners = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, listeners.add(woken));
    over.addEventListener("abort", woken);
    try {
      for (let hurried = false; ; hurried = true) {
        const changed = new Promise<void>((resolve) => (wake = resolve));
        // Asked in this order: when the title has ended, all of it is stored.
        const encoding = (await getTitle(this.#parts.records, wanted.title))?.state === "encoding";
        const receipt = await findReceipt(
          this.#parts.records,
          wanted.title,
          wanted.planId,
          wanted.track,
          wanted.number,
        );
        if (receipt || over.aborted || !encoding) return receipt;
        if (!hurried) await this.#hurry(ref, wanted.track);
        await changed;
      }
    } finally {
      over.removeEventListener("abort", woken);
      listeners.delete(woken);
      if (listeners.size === 0) this.#waiting.delete(key);
      const left = this.#leave(watched);
      if (left === 0 && gone.aborted) await this.#putBack(ref, wanted.plan, chunk);
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  #wake(event: RecordEvent): void {
    if (event.kind === "segment") {
      for (const wake of this.#waiting.get(segmentName({ ...event, planId: event.plan })) ?? []) wake();
      return;
    }
    // Where events were missed everybody looks for themselves.
    const concerned = event.kind === "resync" ? "" : `${event.title}/`;
    for (const [name, listeners] of this.#waiting) if (name.startsWith(concerned)) for (const wake of listeners) wake();
  }

  #enter(ref: ChunkRef): string {
    const name = `${ref.title}.${ref.plan}.${ref.chunk}`;
    this.#watched.set(name, (this.#watched.get(name) ?? 0) + 1);
    return name;
  }

  #leave(name: string): number {
    const left = (this.#watched.get(name) ?? 1) - 1;
    if (left === 0) this.#watched.delete(name);
    else this.#watched.set(name, left);
    return left;
  }

  async #putBack(ref: ChunkRef, plan: Plan, chunk: Chunk): Promise<void> {
    const row = await getTitle(this.#parts.records, ref.title);
    if (!row) return;
    await this.#parts.engine
      .setEncodePriority(ref, backgroundPriority(plan, chunk, row.priority))
      .catch((error: unknown) => this.#warn(ref, error));
  }

  async #hurry(ref: ChunkRef, track: TrackId): Promise<void> {
    await this.#parts.engine
      .hurryEncode(ref, track, viewerPriority(Date.now()))
      .catch((error: unknown) => this.#warn(ref, error));
  }

  #warn(ref: ChunkRef, error: unknown): void {
    this.#parts.log.warn({ ...ref, err: error }, "the chunk's priority could not be changed");
  }
}

const segmentName = (segment: { title: TitleId; planId: PlanId; track: TrackId; number: number }): string =>
  `${segment.title}/${segment.planId}/${segment.track}/${segment.number}`;
