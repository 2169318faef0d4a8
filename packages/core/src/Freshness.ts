/**
 * Judges a cached value by its times alone: fresh, stale or missing. All functions are pure and
 * total.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import type { Entry } from "./Entry.ts"

/**
 * The value is in time: serve it at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fresh {
  readonly _tag: "Fresh"
}

/**
 * The value is past its freshness, and still in grace. In `revalidate` grace serve it at once while
 * a refresh runs (stale-while-revalidate); in `error` grace only when upstream fails or is too slow
 * (stale-if-error).
 *
 * @category models
 * @since 0.1.0
 */
export interface Stale {
  readonly _tag: "Stale"
  readonly grace: "revalidate" | "error"
}

/**
 * There is no value, or it is past all grace.
 *
 * @category models
 * @since 0.1.0
 */
export interface Missing {
  readonly _tag: "Missing"
}

/**
 * The freshness of a value: the answer of {@link of}, and a field of what `Larder.getWithMeta` and
 * `Larder.read` return.
 *
 * @category models
 * @since 0.1.0
 */
export type Freshness = Fresh | Stale | Missing

/**
 * The freshness of a value in time.
 *
 * **Example**
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Freshness.fresh, { _tag: "Fresh" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fresh: Freshness = Object.freeze({ _tag: "Fresh" })
/**
 * The freshness of a value in revalidate grace (stale-while-revalidate).
 *
 * **Example**
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Freshness.staleRevalidate, { _tag: "Stale", grace: "revalidate" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const staleRevalidate: Freshness = Object.freeze({ _tag: "Stale", grace: "revalidate" })
/**
 * The freshness of a value in error grace (stale-if-error).
 *
 * **Example**
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Freshness.staleError, { _tag: "Stale", grace: "error" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const staleError: Freshness = Object.freeze({ _tag: "Stale", grace: "error" })
/**
 * The freshness of a value that is absent, or past all grace.
 *
 * **Example**
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Freshness.of(undefined, 0), Freshness.missing)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const missing: Freshness = Object.freeze({ _tag: "Missing" })

/**
 * The freshness of an entry at `now` (ms since the Unix epoch), for a cache of your own. The times
 * are exclusive bounds: at exactly `freshUntil` the entry is no longer fresh, at exactly
 * `staleUntil` it is missing.
 *
 * **Details**
 *
 * `staleUntil` is compared first, so that an entry whose times contradict each other is never
 * served too long. A time that is NaN has passed.
 *
 * **Example** (The boundary)
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const entry = {
 *   value: "milk", storedAt: 0, freshUntil: 10, revalidateUntil: 20, staleUntil: 30,
 *   loadMillis: 1, version: 1, asOf: 0, tags: []
 * }
 * assert.deepStrictEqual(Freshness.of(entry, 9), { _tag: "Fresh" })
 * assert.deepStrictEqual(Freshness.of(entry, 10), { _tag: "Stale", grace: "revalidate" })
 * assert.deepStrictEqual(Freshness.of(entry, 20), { _tag: "Stale", grace: "error" })
 * assert.deepStrictEqual(Freshness.of(entry, 30), { _tag: "Missing" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of: {
  (now: number): (entry: Entry<unknown> | undefined) => Freshness
  (entry: Entry<unknown> | undefined, now: number): Freshness
} = dual(2, (entry: Entry<unknown> | undefined, now: number): Freshness => {
  // NaN fails each of these comparisons, so an entry with a NaN time is never served too long.
  if (entry === undefined || !(now < entry.staleUntil)) return missing
  if (now < entry.freshUntil) return fresh
  return now < entry.revalidateUntil ? staleRevalidate : staleError
})

/**
 * Handles each case of a freshness: calls the function of its case, and returns the result.
 *
 * **Example**
 *
 * ```ts
 * import { Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const word = Freshness.match(Freshness.of(undefined, 0), {
 *   onFresh: () => "fresh",
 *   onStale: (grace) => `stale (${grace})`,
 *   onMissing: () => "missing"
 * })
 * assert.strictEqual(word, "missing")
 * ```
 *
 * @category pattern matching
 * @since 0.1.0
 */
export const match: {
  <A, B = A, C = A>(cases: {
    readonly onFresh: () => A
    readonly onStale: (grace: "revalidate" | "error") => B
    readonly onMissing: () => C
  }): (freshness: Freshness) => A | B | C
  <A, B = A, C = A>(
    freshness: Freshness,
    cases: {
      readonly onFresh: () => A
      readonly onStale: (grace: "revalidate" | "error") => B
      readonly onMissing: () => C
    },
  ): A | B | C
} = dual(
  2,
  <A, B, C>(
    freshness: Freshness,
    cases: {
      readonly onFresh: () => A
      readonly onStale: (grace: "revalidate" | "error") => B
      readonly onMissing: () => C
    },
  ): A | B | C => {
    switch (freshness._tag) {
      case "Fresh":
        return cases.onFresh()
      case "Stale":
        return cases.onStale(freshness.grace)
      case "Missing":
        return cases.onMissing()
    }
  },
)
