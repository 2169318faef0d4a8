/** What is at stake in a lookup while it runs: it changes as callers come and go. */

/** The `Upstream.Demand` of a lookup of a larder; one that is given by hand never changes. */
export abstract class LiveDemand {
  /** No caller waits for the lookup. */
  abstract readonly background: boolean
  /** Every caller that waits for it could be given something stale. */
  abstract readonly stale: boolean
  /** When the lookup is given up at the latest, in monotonic time, ms. */
  abstract readonly endsAt: number
  #listeners: Set<() => void> | undefined

  /** Calls `listener` whenever a caller has come; gives what ends that. */
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
