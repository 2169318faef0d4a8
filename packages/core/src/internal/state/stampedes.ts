/**
 * Finds stampedes: many callers of one lookup, or many lookups of one key. Counts on the way of lookups
 * alone, so a hit costs nothing, and remembers the most recently looked-up keys alone.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { stampedeKeys, stampedeMillis } from "../runtime/limits.ts"
import { RecentKeys } from "../runtime/recentKeys.ts"

/**
 * A stampede on one key, for the option `onStampede`: as in the event `StampedeDetected`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stampede<out K> {
  readonly key: K
  /** The callers that the last lookup has answered, or that wait for it. */
  readonly callers: number
  /** The lookups of the key that have reached upstream, with callers waiting, within the last 5 seconds. */
  readonly lookups: number
}

/**
 * What the function `onStampede` asks the larder for; nothing by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface StampedeRequest {
  /** Looks the key up in the background, unless a lookup of it is running. */
  readonly refresh?: boolean | undefined
  /**
   * Lets the value that this node's memory has be served stale while it is looked up
   * (stale-while-revalidate) for at least so long after its freshness, and so each value of the key that
   * this node stores within 5 seconds of the answer: one that a refresh brings, or a `set`. Later values
   * have the policy's own grace. It does not apply to values that were expired or invalidated, nor to what
   * other nodes and the tiers behind memory have. For at most 1,000 keys at once.
   */
  readonly staleWhileRevalidate?: Duration.Input | undefined
}

/**
 * The option `onStampede`.
 *
 * @category options
 * @since 0.1.0
 */
export type OnStampede<K> = (
  stampede: Stampede<K>,
) => Effect.Effect<StampedeRequest | undefined | void, unknown>

/** What is known of a key that was looked up. Also on the flight, which spares it another search by key. */
export interface RecentLookups {
  /** When the first of them reached upstream, in monotonic time. */
  readonly since: number
  readonly lookups: number
  /** The number of the last mark when the last lookup began. */
  readonly mark: number
  /** When the value of the last lookup ends to be fresh; `Infinity` before it is stored. */
  freshUntil: number
}

export class Stampedes {
  readonly #callers: number
  readonly #recent = new RecentKeys<RecentLookups>(stampedeKeys)
  /** Called for each stampede, for the option `onStampede`. */
  onDetected: (key: unknown, k: string, found: Omit<Stampede<unknown>, "key">) => void = () => {}

  /** `callers`: as many of one lookup are no stampede. */
  constructor(callers: number) {
    this.#callers = callers
  }

  /** The keys that are remembered. */
  get size(): number {
    return this.#recent.size
  }

  /** The key was changed: its next lookup begins anew. */
  changed(k: string): void {
    this.#recent.delete(k)
  }

  /**
   * A lookup for which callers wait has reached upstream, at a moment of monotonic time. A lookup of a
   * value whose freshness has ended by `now()`, that was invalidated, or that memory has evicted, begins
   * anew: it is what a cache does.
   */
  reached(
    k: string,
    at: number,
    mark: number,
    now: () => number,
    isEvicted: () => boolean = () => false,
  ): RecentLookups {
    const before = this.#recent.get(k)
    const goesOn =
      before !== undefined &&
      at - before.since < stampedeMillis &&
      mark === before.mark &&
      now() < before.freshUntil &&
      !(before.freshUntil < Infinity && isEvicted())
    const recent = goesOn
      ? { since: before.since, lookups: before.lookups + 1, mark, freshUntil: Infinity }
      : { since: at, lookups: 1, mark, freshUntil: Infinity }
    this.#recent.set(k, recent)
    return recent
  }

  /** Whether so many callers of one lookup are a stampede. */
  areMany(callers: number): boolean {
    return callers > this.#callers
  }
}
