/**
 * The keys for which `onStampede` has asked for longer grace: while the window of the stampede lasts, each
 * entry that is stored gets it, and not only the one that was there when the answer came.
 */
import type { Entry } from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import { stampedeKeys, stampedeMillis } from "../runtime/limits.ts"

interface LongerGrace {
  readonly millis: number
  /** The end of the window. */
  readonly until: number
}

export class LongerGraces {
  readonly #byKey = new Map<string, LongerGrace>()

  /** The keys that are remembered. */
  get size(): number {
    return this.#byKey.size
  }

  /** From now on, until the window ends. */
  add(k: string, millis: number, now: number): void {
    this.#byKey.delete(k)
    if (this.#byKey.size >= stampedeKeys) this.#forget(now)
    this.#byKey.set(k, { millis, until: now + stampedeMillis })
  }

  /** The entry as it is stored. One that is not fresh was expired, or comes from a time before. */
  applied(k: string, entry: Entry<unknown>, now: number): Entry<unknown> {
    if (this.#byKey.size === 0) return entry
    const grace = this.#byKey.get(k)
    if (grace === undefined) return entry
    if (now >= grace.until) {
      this.#byKey.delete(k)
      return entry
    }
    return Freshness.of(entry, now)._tag === "Fresh" ? withGrace(entry, grace.millis) : entry
  }

  /** Forgets the keys whose window has ended; where there are none, the oldest. */
  #forget(now: number): void {
    const all = [...this.#byKey]
    for (const [k, { until }] of all) if (now >= until) this.#byKey.delete(k)
    const [oldest] = this.#byKey.keys()
    if (this.#byKey.size === all.length && oldest !== undefined) this.#byKey.delete(oldest)
  }
}

/** The entry, served stale while it is looked up for at least so long after its freshness. */
export const withGrace = (entry: Entry<unknown>, millis: number): Entry<unknown> => {
  const until = entry.freshUntil + millis
  if (until <= entry.revalidateUntil) return entry
  return { ...entry, revalidateUntil: until, staleUntil: Math.max(entry.staleUntil, until) }
}
