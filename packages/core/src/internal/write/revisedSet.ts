/**
 * A caller's value against what is known, by the source's own version: a `set`
 * that comes late must not replace a newer value.
 */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import type { Granted } from "../tier/leases.ts"
import { Budget } from "../tier/budget.ts"
import { attempt } from "../state/userCode.ts"

/** Whether an entry is newer than the value that a caller sets. */
export type IsNewer = (entry: Entry<unknown>) => boolean

/** How the arbiter took a value: under this version, or not, since it has a newer value under this version. */
export interface Applied {
  readonly version: number
  /** Of a value that was stored: above all marks that came before it. */
  readonly asOf?: number | undefined
  readonly refused: boolean
}

/** Undefined where every value may replace every other. Throws `OptionFailed`. */
export const newerThan = (engine: Engine, k: string, value: unknown): IsNewer | undefined => {
  const { revision } = engine.settings
  if (revision === undefined) return undefined
  const own = revision(value)
  return (entry) => {
    const theirs = attempt<number | bigint | string | undefined>(
      () => revision(entry.value),
      (failure) => engine.optionFailures.undecodable(k, engine.nearName, failure),
    )
    return theirs !== undefined && own < theirs
  }
}

/** What memory has that is newer; an entry past its life stands in nobody's way. */
export const newerInMemory = (
  engine: Engine,
  k: string,
  isNewer: IsNewer,
): Entry<unknown> | undefined => {
  const queued = engine.writes.newest(k)?.entry
  if (queued !== undefined && isNewer(queued)) return queued
  const local = engine.entries.candidate(k, engine.now())
  return local !== undefined && isNewer(local.entry) ? local.entry : undefined
}

/** What a tier that does not arbitrate has that is newer. */
export const newerNearby = (
  engine: Engine,
  k: string,
  isNewer: IsNewer,
): Effect.Effect<Entry<unknown> | undefined> =>
  Effect.gen(function* () {
    const budget = new Budget(engine.settings.policy.tierBudget)
    for (const tier of engine.stack.farther) {
      if (tier === engine.stack.arbiter) continue
      const newer = yield* newerIn(engine, tier, k, isNewer, budget)
      if (newer !== undefined) return newer
    }
    return undefined
  })

export const newerIn = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  isNewer: IsNewer,
  budget: Budget = new Budget(engine.settings.policy.tierBudget),
): Effect.Effect<Entry<unknown> | undefined> =>
  Effect.map(tier.read([k], budget), (found) => {
    const [first] = found
    if (first?._tag !== "Entry") return undefined
    return isUsable(engine, first.entry) && isNewer(first.entry) ? first.entry : undefined
  })

/** An entry that is past its life, or that a mark has dropped, stands in no value's way. */
const isUsable = (engine: Engine, entry: Entry<unknown>): boolean =>
  engine.entries.judge(entry, engine.now())._tag !== "Missing"

/** Other changes of the key may come in between this often. */
const attempts = 12

/**
 * Sets of several nodes that take the right from each other would go on so: each stands back by
 * chance, the longer the more often it has lost. A `trip` is how long the arbiter takes to answer.
 */
const pause = (engine: Engine, trip: number, lost: number): number =>
  Math.min(trip * 2 ** (lost + 1), engine.settings.policy.tierTimeout) *
  (0.5 + 0.5 * engine.random.nextDoubleUnsafe())

/**
 * Stores the entry at the arbiter unless that has a newer value. Race: another node
 * sets a newer value between the comparison and the write. So the right to write is
 * taken first, then what is there is compared, and the commit under that right is
 * refused if anything came in between; then all of it is done again. Undefined where
 * the arbiter does not answer.
 */
export const applyUnlessNewer = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  entry: Entry<unknown>,
  known: number,
  isNewer: IsNewer,
): Effect.Effect<Applied | undefined> =>
  Effect.gen(function* () {
    let seen = known
    let force = false
    let { asOf } = entry
    let trip = 0
    for (let i = 0; i < attempts; i++) {
      const budget = new Budget(engine.settings.policy.tierBudget)
      const { leaseMillis } = engine.stack
      const began = engine.stopwatch()
      const granted: Granted | undefined = yield* arbiter.leases.acquire(
        k,
        { known: seen, leaseMillis, force },
        budget,
      )
      if (granted === undefined) return undefined
      trip = Math.max(trip, engine.stopwatch() - began)
      if (granted._tag === "Newer") {
        const { found }: { readonly found: TierRead } = granted
        const version: number = found._tag === "Entry" ? found.entry.version : found.version
        if (found._tag === "Entry" && isUsable(engine, found.entry) && isNewer(found.entry)) {
          return { version, refused: true }
        }
        // A version that does not rise would be answered again.
        force = version <= seen
        seen = Math.max(seen, version)
        continue
      }
      if (granted._tag !== "Won") {
        // A lookup holds the lease, or another set, which ends within a few trips and is given time to:
        // what the value replaces is taken from a lookup as by any other change.
        yield* engine.sleep(pause(engine, trip, i))
        force = true
        continue
      }
      const { token } = granted
      // A right that was taken by force says nothing of what is stored.
      const newer = force ? yield* newerIn(engine, arbiter, k, isNewer, budget) : undefined
      if (newer !== undefined) {
        yield* arbiter.leases.release(k, token, 0)
        return { version: newer.version, refused: true }
      }
      const stored = yield* arbiter.writes.commit(k, { ...entry, asOf, version: token })
      if (stored === undefined || stored === "Unjudged") return undefined
      if (stored !== "Stored") {
        yield* engine.sleep(pause(engine, trip, i))
        force = false
        continue
      }
      // Another node's mark came before the value: it has to cover the mark.
      if (engine.marks.judge({ ...entry, asOf }) === "valid") {
        return { version: token, asOf, refused: false }
      }
      asOf = engine.versions.asOf()
      seen = token
      force = false
    }
    return undefined
  })
