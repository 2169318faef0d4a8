/**
 * Compares a caller's value with known entries by the `revision` option: a late `set` must not
 * replace a newer value.
 */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import { step } from "../state/spanEvents.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import type { Granted } from "../tier/leases.ts"
import { Budget } from "../tier/budget.ts"
import { attempt } from "../state/userCode.ts"
import { revisedSetAttempts } from "../runtime/limits.ts"

/** Whether an entry is newer than the value that a caller sets. */
export type IsNewer = (entry: Entry<unknown>) => boolean

/** The arbiter's answer: it stored the value under `version`, or refused it for a newer one of `version`. */
export interface Applied {
  readonly version: number
  /** For a stored value: covers all marks from before it. */
  readonly asOf?: number | undefined
  readonly refused: boolean
}

/** Undefined without a `revision` option. Throws `OptionFailed`. */
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

/** A newer entry in memory or in the write queue. An entry in memory past its life does not count. */
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

/** A newer entry in a tier that does not arbitrate. */
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

/** Whether an entry is within its life and no mark has dropped it. */
const isUsable = (engine: Engine, entry: Entry<unknown>): boolean =>
  engine.entries.judge(entry, engine.now())._tag !== "Missing"

/**
 * Backoff with jitter, in ms: nodes that set one key at a time would take the lease from each other
 * again and again. Doubles with each lost attempt, up to `tierTimeout`; `trip` is the arbiter's latency.
 */
const pause = (engine: Engine, trip: number, lost: number): number =>
  Math.min(trip * 2 ** (lost + 1), engine.settings.policy.tierTimeout) *
  (0.5 + 0.5 * engine.random.nextDoubleUnsafe())

/**
 * Stores the entry at the arbiter unless the arbiter has a newer value. Race: another node sets a
 * newer value between the comparison and the write. So: acquire the lease, compare, commit under
 * the lease. The arbiter refuses the commit if another change came in between; then retry.
 * Undefined where the arbiter does not answer.
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
    for (let i = 0; i < revisedSetAttempts; i++) {
      const budget = new Budget(engine.settings.policy.tierBudget)
      const { leaseMillis } = engine.stack
      const began = engine.stopwatch()
      const claim = { known: seen, leaseMillis, force }
      const granted: Granted | undefined = yield* step(
        engine,
        arbiter,
        "lease",
        arbiter.leases.acquire(k, claim, budget),
      )
      if (granted === undefined) return undefined
      trip = Math.max(trip, engine.stopwatch() - began)
      if (granted._tag === "Newer") {
        const { found }: { readonly found: TierRead } = granted
        const version: number = found._tag === "Entry" ? found.entry.version : found.version
        if (found._tag === "Entry" && isUsable(engine, found.entry) && isNewer(found.entry)) {
          return { version, refused: true }
        }
        // Without force the arbiter would answer with the same version again.
        force = version <= seen
        seen = Math.max(seen, version)
        continue
      }
      if (granted._tag !== "Won") {
        // A lookup or another `set` holds the lease. Another `set` ends within a few trips, so wait. Then
        // take the lease by force: any change may take it from a lookup.
        yield* engine.sleep(pause(engine, trip, i))
        force = true
        continue
      }
      const { token } = granted
      // A lease taken by force says nothing about the stored value: read it.
      const newer = force ? yield* newerIn(engine, arbiter, k, isNewer, budget) : undefined
      if (newer !== undefined) {
        yield* arbiter.leases.release(k, token, 0)
        return { version: newer.version, refused: true }
      }
      const stored = yield* step(
        engine,
        arbiter,
        "write",
        arbiter.writes.commit(k, { ...entry, asOf, version: token }),
      )
      if (stored === undefined || stored === "Unjudged") return undefined
      if (stored !== "Stored") {
        yield* engine.sleep(pause(engine, trip, i))
        force = false
        continue
      }
      // Another node's mark came before the value: commit again with an `asOf` that covers the mark.
      if (engine.marks.judge({ ...entry, asOf }) === "valid") {
        return { version: token, asOf, refused: false }
      }
      asOf = engine.versions.asOf()
      seen = token
      force = false
    }
    return undefined
  })
