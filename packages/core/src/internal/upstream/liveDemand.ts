/** The demand for a running lookup, which changes as callers come and go. */

/** The `Upstream.Demand` of a larder's lookup. A demand made by hand never changes. */
export abstract class LiveDemand {
  /** No caller waits for the lookup. */
  abstract readonly background: boolean
  /** Every waiting caller can get a stale value. */
  abstract readonly stale: boolean
  /** When the lookup times out, in monotonic time, ms. */
  abstract readonly endsAt: number
  /** The lookup does not wait for a permit: it runs if one is free now. */
  get onlyIfFree(): boolean {
    return false
  }

  #listeners: Set<() => void> | undefined

  /** Calls `listener` whenever a caller joins; returns a function that removes it. */
  onJoin(listener: () => void): () => void {
    const listeners = (this.#listeners ??= new Set())
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  joined(): void {
    if (this.#listeners === undefined || this.#listeners.size === 0) return
    for (const listener of [...this.#listeners]) listener()
  }
}
