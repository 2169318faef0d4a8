/**
 * Finds stampedes: many callers of one lookup, or many lookups of one key. Counts on the way of lookups
 * alone, so a hit costs nothing, and remembers the most recently looked-up keys alone.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { stampedeKeys, stampedeMillis } from "../runtime/limits.ts"

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
   * (stale-while-revalidate) for at least so long after its freshness. It does not apply to values that
   * were expired or invalidated, nor to later ones.
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

/** What is known of a key that was looked up. */
interface Recent {
  since: number
  lookups: number
  /** The number of the last mark when the last lookup began. */
  mark: number
  /** When the value of the last lookup ends to be fresh; `Infinity` before it is stored. */
  freshUntil: number
}

export class Stampedes {
  readonly #callers: number
  /**
   * Two generations of keys: when the younger one is full it becomes the older one, whose keys are
   * forgotten. A map that deletes its oldest key for each new one must search for it.
   */
  #younger = new Map<string, Recent>()
  #older = new Map<string, Recent>()
  /** Called for each stampede, for the option `onStampede`. */
  onDetected: (key: unknown, k: string, found: Omit<Stampede<unknown>, "key">) => void = () => {}

  /** `callers`: as many of one lookup are no stampede. */
  constructor(callers: number) {
    this.#callers = callers
  }

  /** The keys that are remembered. */
  get size(): number {
    return this.#younger.size + this.#older.size
  }

  #at(k: string): Recent | undefined {
    return this.#younger.get(k) ?? this.#older.get(k)
  }

  #remember(k: string, recent: Recent): void {
    if (this.#younger.size >= stampedeKeys / 2 && !this.#younger.has(k)) {
      this.#older = this.#younger
      this.#younger = new Map()
    }
    this.#younger.set(k, recent)
  }

  /**
   * A lookup for which callers wait has reached upstream. Returns the number of lookups where it is a
   * second one. A lookup of a value whose freshness has ended, or that was invalidated, begins anew: it
   * is what a cache does.
   */
  reached(k: string, now: number, mark: number): number | undefined {
    const before = this.#at(k)
    const isOver =
      before === undefined ||
      now - before.since >= stampedeMillis ||
      now >= before.freshUntil ||
      mark !== before.mark
    const lookups = isOver ? 1 : before.lookups + 1
    const since = isOver ? now : before.since
    this.#remember(k, { since, lookups, mark, freshUntil: Infinity })
    return lookups === 2 ? lookups : undefined
  }

  /** A looked-up value was stored. */
  stored(k: string, freshUntil: number): void {
    const recent = this.#at(k)
    if (recent !== undefined) recent.freshUntil = freshUntil
  }

  /** The key was changed: its next lookup begins anew. */
  changed(k: string): void {
    this.#younger.delete(k)
    this.#older.delete(k)
  }

  /** A lookup has answered so many callers. Returns the number of lookups where these are too many. */
  answered(k: string, callers: number): number | undefined {
    if (callers <= this.#callers) return undefined
    return this.#at(k)?.lookups ?? 1
  }
}
