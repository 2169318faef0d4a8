/** How good a value still is, by its times alone. Pure and total. */
import { dual } from "effect/Function"
import type { Entry } from "./Entry.ts"

/** In time: given without asking anybody. */
export interface Fresh {
  readonly _tag: "Fresh"
}

/**
 * Past its time but not gone. In `revalidate` grace it is given at once while a
 * refresh runs; in `error` grace only when upstream fails or is too slow.
 */
export interface Stale {
  readonly _tag: "Stale"
  readonly grace: "revalidate" | "error"
}

/** Not there, or past all grace. */
export interface Missing {
  readonly _tag: "Missing"
}

export type Freshness = Fresh | Stale | Missing

export const fresh: Freshness = Object.freeze({ _tag: "Fresh" })
export const staleRevalidate: Freshness = Object.freeze({ _tag: "Stale", grace: "revalidate" })
export const staleError: Freshness = Object.freeze({ _tag: "Stale", grace: "error" })
export const missing: Freshness = Object.freeze({ _tag: "Missing" })

/**
 * The freshness of an entry at `now` (ms). Each bound belongs to what follows
 * it: at exactly `freshUntil` the entry is no longer fresh, at exactly
 * `staleUntil` it is missing.
 *
 * **Details**
 *
 * `staleUntil` is looked at first, so that an entry whose times contradict each
 * other is never served too long. A time that is NaN has passed.
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
 */
export const of: {
  (now: number): (entry: Entry<unknown> | undefined) => Freshness
  (entry: Entry<unknown> | undefined, now: number): Freshness
} = dual(2, (entry: Entry<unknown> | undefined, now: number): Freshness => {
  // Each comparison is one that NaN fails: a time that is no number is no life.
  if (entry === undefined || !(now < entry.staleUntil)) return missing
  if (now < entry.freshUntil) return fresh
  return now < entry.revalidateUntil ? staleRevalidate : staleError
})

/**
 * Handles each case of a freshness.
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
