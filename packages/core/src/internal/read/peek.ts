/** `read`: the entry of a key, without a lookup and without side effects. */
import * as Effect from "effect/Effect"
import type * as Entry from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import type { Engine, FartherReading } from "../state/engine.ts"
import { candidateFrom } from "../state/candidateFrom.ts"
import { examined } from "../state/examined.ts"
import { queuedCandidate } from "../state/queuedCandidate.ts"
import { Budget } from "../tier/budget.ts"
import { type Candidate, isConfirmed } from "../state/flight.ts"
import { anything, withChecks } from "./question.ts"
import { shown } from "../state/shownEntry.ts"
import { isBelieved, judgeable } from "../recover/believed.ts"
import { recover } from "../recover/replay.ts"

/**
 * The result of `Larder.read`: the entry of a key, its freshness and its tier. `entry` and `tier`
 * are undefined where it is missing.
 *
 * @category models
 * @since 0.1.0
 */
export type Reading<A> =
  | {
      readonly freshness: Freshness.Freshness
      readonly entry: Entry.Entry<A>
      readonly tier: string
    }
  | {
      readonly freshness: Freshness.Freshness
      readonly entry: undefined
      readonly tier: undefined
    }

const missing: Reading<never> = {
  freshness: Freshness.missing,
  entry: undefined,
  tier: undefined,
}

/** The nearest fresh entry, else the newest. */
export const read = (engine: Engine, key: unknown, k: string): Effect.Effect<Reading<unknown>> =>
  Effect.suspend(() => {
    const local = engine.entries.candidate(k, engine.now())
    const demand = withChecks(engine, anything, local?.held.policy)
    const isAnswer = local?.freshness._tag === "Fresh" && isConfirmed(local, demand)
    if (isAnswer || engine.stack.farther.length === 0) {
      return Effect.succeed(readingOf(engine, k, local))
    }
    const asked = engine.reads.share(k, readFarther(engine, key, k))
    // Each reader judges the shared result itself: a mark may have come since the tiers were asked.
    return Effect.map(asked, ({ best, removedAt }) => {
      const isRemoved = local !== undefined && local.entry.version < removedAt
      return readingOf(engine, k, better(engine, k, isRemoved ? undefined : local, best))
    })
  })

const readFarther = (engine: Engine, key: unknown, k: string): Effect.Effect<FartherReading> =>
  Effect.gen(function* () {
    const gapsBefore = engine.gaps.count
    const queued = queuedCandidate(engine, k, engine.now())
    if (queued?.candidate.freshness._tag === "Fresh") {
      return { best: queued.candidate, removedAt: 0 }
    }
    if (queued?.isOutdated === false) yield* engine.writes.settled(k)
    const budget = new Budget(engine.settings.policy.tierBudget)
    let best = queued?.candidate
    for (const tier of engine.stack.farther) {
      if (tier === engine.stack.arbiter && !isBelieved(engine, k)) {
        yield* recover(engine, budget, [k])
        if (!isBelieved(engine, k)) continue
      }
      const [found] = yield* tier.read([k], budget)
      const isRemoved = found?._tag === "Nothing" && found.isRemoved === true
      if (isRemoved && tier === engine.stack.arbiter) {
        const { version } = found
        return { best: best && best.entry.version < version ? undefined : best, removedAt: version }
      }
      if (found?._tag !== "Entry") continue
      if (engine.writes.isBefore(k, found.entry, engine.now())) continue
      const entry = judgeable(engine, found, tier === engine.stack.arbiter)
      if (examined(engine, { k, asked: key }, tier.name, entry, found.confirmedAt) === undefined)
        continue
      const candidate = candidateFrom(engine, tier.name, entry, engine.now(), gapsBefore)
      if (candidate.freshness._tag === "Fresh") return { best: candidate, removedAt: 0 }
      best = better(engine, k, best, candidate)
    }
    return { best, removedAt: 0 }
  })

const better = (
  engine: Engine,
  k: string,
  one: Candidate | undefined,
  other: Candidate | undefined,
): Candidate | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  const isNewer = other.entry.version > one.entry.version
  return isNewer || freshnessOf(engine, k, other)._tag === "Fresh" ? other : one
}

const freshnessOf = (engine: Engine, k: string, { entry, gapsBefore }: Candidate) =>
  engine.entries.judgeKnown(k, entry, gapsBefore, engine.now())

const readingOf = (engine: Engine, k: string, given: Candidate | undefined): Reading<unknown> => {
  if (given === undefined) return missing
  const freshness = freshnessOf(engine, k, given)
  if (freshness._tag === "Missing") return missing
  return { freshness, entry: shown(engine, given.entry, freshness), tier: given.tier }
}
