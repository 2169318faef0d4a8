/**
 * Runs that callers share by key (request coalescing, single flight): those of `Coalesce`, and the
 * flights of a larder. The table of flights ends them in steps of its own, between which it forgets
 * displaced flights and marks.
 */
import type { Chain, Linked } from "./linkedSet.ts"

/** A run, and the callers that wait for it. */
export interface SharedRun<K, W extends Linked<W>> {
  readonly k: K
  readonly waiters: Chain<W>
  /** Interrupts the run, without waiting for its end. */
  readonly cancel: () => void
}

export class SharedRuns<K, W extends Linked<W>, R extends SharedRun<K, W>> {
  /** The runs that callers may join. */
  readonly #joinable = new Map<K, R>()

  get size(): number {
    return this.#joinable.size
  }

  /** The run that callers of a key join. */
  at(key: K): R | undefined {
    return this.#joinable.get(key)
  }

  /** Makes a run the one that callers of its key join. */
  begin(run: R): void {
    this.#joinable.set(run.k, run)
  }

  /** From now on, callers of the key begin a run of their own. A newer run stays. */
  free(run: R): void {
    if (this.#joinable.get(run.k) === run) this.#joinable.delete(run.k)
  }

  /** Answers each waiter of a run that has ended. */
  complete(run: R, answer: (waiter: W) => void): void {
    // Race: an answered caller asks for the key again at once, and must begin a new run.
    this.free(run)
    run.waiters.drain(answer)
  }

  /** Cancels a run without waiters. */
  abandon(run: R): void {
    // Race: a caller that arrives while the run is cancelled must not join it, nor wait for one that
    // disobeys.
    this.free(run)
    run.cancel()
  }

  clear(): void {
    this.#joinable.clear()
  }
}
