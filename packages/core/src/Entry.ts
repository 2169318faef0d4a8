/**
 * An entry: a value with its times, tags and version, as a tier stores it for one key. Entries are
 * immutable; a change makes a new one.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */

/**
 * A cached value with its times, tags and version. `Larder.getWithMeta` and `Larder.read` return
 * it.
 *
 * **Details**
 *
 * All times are milliseconds since the Unix epoch, and all numbers are integers below 2^53.
 * {@link forever} stands for a time that never comes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<out A> {
  readonly value: A
  /** When upstream last validated the value, ms. */
  readonly storedAt: number
  /** From this moment on (ms) the value is no longer fresh. */
  readonly freshUntil: number
  /**
   * Until this moment (ms) the value may be served while a refresh runs (RFC 5861
   * *stale-while-revalidate*).
   */
  readonly revalidateUntil: number
  /**
   * Until this moment (ms) the value may be served when upstream fails (RFC 5861 *stale-if-error*).
   * After it the value is never served.
   */
  readonly staleUntil: number
  /** How long the lookup took, ms. `EarlyRefresh.xfetch` uses it. */
  readonly loadMillis: number
  /** The place of the value in the order of writes to this key. */
  readonly version: number
  /**
   * The number of the last mark known when the lookup began. A mark with a higher number that
   * covers the entry invalidates it.
   */
  readonly asOf: number
  /** The tags by which `Larder.invalidateTags` finds the value. */
  readonly tags: ReadonlyArray<string>
  /** The upstream's validator, for conditional lookups. */
  readonly etag?: string | undefined
}

/**
 * A time that never comes, such as the end of an infinite duration: the highest safe integer, in
 * milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import { Entry, Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const { freshUntil } = Policy.times(Policy.make({ freshFor: "Infinity" }), 1_000, 0)
 * assert.strictEqual(freshUntil, Entry.forever)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const forever: number = Number.MAX_SAFE_INTEGER

/**
 * The moment `millis` after `start`, without overflow: a result above the highest safe integer is
 * {@link forever}. NaN stays NaN.
 *
 * **Example**
 *
 * ```ts
 * import { Entry } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Entry.after(1_000, 500), 1_500)
 * assert.strictEqual(Entry.after(1_000, Infinity), Entry.forever)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const after = (start: number, millis: number): number => {
  const at = start + millis
  return at >= forever ? forever : at
}

/**
 * The entry as `Larder.expire`, or a mark that keeps stale values, leaves it at `now` (ms): neither
 * fresh nor in revalidate grace from `now` on, and in error grace for the rest of its life. Returns
 * `undefined` when its life is over.
 *
 * **Example**
 *
 * ```ts
 * import { Entry } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const entry: Entry.Entry<string> = {
 *   value: "milk", storedAt: 0, freshUntil: 10_000, revalidateUntil: 20_000, staleUntil: 30_000,
 *   loadMillis: 5, version: 1, asOf: 0, tags: []
 * }
 * assert.strictEqual(Entry.expireAt(entry, 4_000)?.freshUntil, 4_000)
 * assert.strictEqual(Entry.expireAt(entry, 4_000)?.staleUntil, 30_000)
 * assert.strictEqual(Entry.expireAt(entry, 30_000), undefined)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const expireAt = <A>(entry: Entry<A>, now: number): Entry<A> | undefined =>
  now < entry.staleUntil
    ? {
        ...entry,
        freshUntil: entry.freshUntil < now ? entry.freshUntil : now,
        revalidateUntil: entry.revalidateUntil < now ? entry.revalidateUntil : now,
      }
    : undefined

/**
 * The entry of another node or tier as this node may use it at `now` (ms). Returns `undefined` when
 * its life is over.
 *
 * **Details**
 *
 * An entry that was stored later than `now` comes from a clock that was ahead, so its age is
 * unknown: the entry is no longer fresh, and its remaining durations count from `now`.
 *
 * **Example**
 *
 * ```ts
 * import { Entry } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const ahead: Entry.Entry<string> = {
 *   value: "milk", storedAt: 9_000, freshUntil: 10_000, revalidateUntil: 10_000, staleUntil: 12_000,
 *   loadMillis: 5, version: 1, asOf: 0, tags: []
 * }
 * const believed = Entry.believedAt(ahead, 1_000)
 * assert.strictEqual(believed?.storedAt, 1_000)
 * assert.strictEqual(believed?.freshUntil, 1_000)
 * assert.strictEqual(believed?.staleUntil, 4_000)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const believedAt = <A>(entry: Entry<A>, now: number): Entry<A> | undefined => {
  const ahead = entry.storedAt - now
  if (ahead <= 0) return entry
  const fromNow = shift(entry, -ahead)
  return ahead <= clockResolution ? fromNow : expireAt(fromNow, now)
}

/**
 * Times of two clocks that differ by less, ms, count as the same. Clocks are read in whole
 * milliseconds, and a trip lies between the readings that compare them. Without this constant a
 * value that another node has just stored would seem to come from the future.
 */
const clockResolution = 5

/**
 * The entry with all its times moved by `offset` milliseconds, from one clock to another.
 * {@link forever} stays as it is.
 *
 * **Example**
 *
 * ```ts
 * import { Entry } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const entry: Entry.Entry<string> = {
 *   value: "milk", storedAt: 0, freshUntil: 10_000, revalidateUntil: 10_000, staleUntil: Entry.forever,
 *   loadMillis: 5, version: 1, asOf: 0, tags: []
 * }
 * const shifted = Entry.shift(entry, 250)
 * assert.strictEqual(shifted.freshUntil, 10_250)
 * assert.strictEqual(shifted.staleUntil, Entry.forever)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const shift = <A>(entry: Entry<A>, offset: number): Entry<A> =>
  offset === 0
    ? entry
    : {
        ...entry,
        storedAt: shiftTime(entry.storedAt, offset),
        freshUntil: shiftTime(entry.freshUntil, offset),
        revalidateUntil: shiftTime(entry.revalidateUntil, offset),
        staleUntil: shiftTime(entry.staleUntil, offset),
      }

/**
 * One time moved by `offset` milliseconds; {@link forever} stays as it is.
 *
 * **Example**
 *
 * ```ts
 * import { Entry } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Entry.shiftTime(1_000, -200), 800)
 * assert.strictEqual(Entry.shiftTime(Entry.forever, -200), Entry.forever)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const shiftTime = (time: number, offset: number): number =>
  time === forever ? forever : after(time, offset)
