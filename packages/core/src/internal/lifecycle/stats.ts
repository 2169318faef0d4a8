/** `stats`: a larder's counters at one moment. */
import * as Effect from "effect/Effect"
import type { State } from "effect/persistence/CircuitBreaker"
import type { Engine } from "../state/engine.ts"
import type { TierScope } from "../../Tier.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { MemoryBounds } from "../memory/bounds.ts"
import { type Answers, type Counters, answersOf, sumOf } from "../observe/counters.ts"
import { uniqueName } from "../runtime/uniqueName.ts"

/**
 * The counters of a larder since it was made, and its size now: the result of `Larder.stats`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats extends Readonly<Omit<Counters, "waited">> {
  readonly name: string
  /**
   * All calls that have ended, but the abandoned ones, by source: the name of the tier that had the
   * value, `"upstream"`, or `"none"` for calls that failed.
   */
  readonly answers: Readonly<Record<string, Answers>>
  /** Calls that memory could not answer: the sum of `missesByCause`. */
  readonly misses: number
  /** Calls that were answered with a stale value: the sum of `staleAnswers`. */
  readonly staleServed: number
  /** Calls that failed: the sum of `failedAnswers`. */
  readonly failures: number
  /** Keys being looked up. */
  readonly inFlight: number
  /** Entries in memory. */
  readonly entries: number
  /** The weight of memory, in the unit of the tier's `weigh`. */
  readonly weight: number
  /** Tags with a mark of `invalidateTags`. */
  readonly marks: number
  /** The tiers, nearest first. */
  readonly tiers: ReadonlyArray<string>
  /**
   * The reach of the entries: `"process"` for this process alone, whose restart loses them;
   * `"machine"`; or `"shared"`.
   */
  readonly reach: TierScope
  /** The bounds of memory now; undefined without a memory tier. */
  readonly bounds: Required<MemoryBounds> | undefined
  /**
   * The state of the circuit breakers of upstream and of tiers behind memory, by name. A second tier
   * of one name is `name-2`. A tier of several servers also has one for each server whose keys were
   * read or written.
   */
  readonly breakers: Readonly<Record<string, State["_tag"]>>
  /** Keys whose `set` is still on its way to the tiers behind memory (`tierWrites: "background"`). */
  readonly queuedWrites: number
  /**
   * How nodes hear of each other's changes: the name of the arbiter's tier where it notifies, else of
   * the backplane; `"none"` where they do not.
   */
  readonly backplane: string
}

const reachOf = (farther: ReadonlyArray<FartherTier>): TierScope => {
  const scopes = new Set(farther.map(({ scope }) => scope))
  if (scopes.has("shared")) return "shared"
  return scopes.has("machine") ? "machine" : "process"
}

/** The tiers, nearest first. */
export const tierNames = ({ nearName, stack }: Engine): ReadonlyArray<string> => {
  const names = stack.farther.map(({ name }) => name)
  return stack.hasMemory ? [nearName, ...names] : names
}

/** How the larder hears of changes by other nodes. */
export const backplaneName = ({ backplane, stack: { arbiter } }: Engine): string =>
  arbiter?.listen === undefined ? backplane.name : arbiter.name

const boundsOf = ({ near }: Engine): Required<MemoryBounds> => {
  const { maxEntries, maxWeight } = near.bounds
  return { maxEntries, maxWeight }
}

export const statsOf = (engine: Engine): Effect.Effect<Stats> =>
  Effect.gen(function* () {
    const breakers: Record<string, State["_tag"]> = {}
    for (const { name, state } of engine.settings.upstream.breakers) {
      breakers[name] = (yield* state)._tag
    }
    for (const { breaker, circuits } of engine.stack.farther) {
      for (const circuit of circuits) {
        const state = yield* Effect.option(breaker.state(circuit))
        // Tiers with the same name must not hide each other.
        if (state._tag === "Some") {
          breakers[uniqueName(circuit, Object.keys(breakers))] = state.value._tag
        }
      }
    }
    const { waited: _, ...counters } = engine.observer.counters
    const { failedAnswers, lookupsRefused, missesByCause, staleAnswers } = counters
    return {
      ...counters,
      // Copies: the counters go on, and these are of one moment.
      staleAnswers: { ...staleAnswers },
      failedAnswers: { ...failedAnswers },
      missesByCause: { ...missesByCause },
      lookupsRefused: { ...lookupsRefused },
      audits: { ...counters.audits },
      answers: answersOf(engine.observer.counters, engine.nearName),
      misses: sumOf(missesByCause),
      staleServed: sumOf(staleAnswers),
      failures: sumOf(failedAnswers),
      name: engine.settings.name,
      inFlight: engine.flights.inFlight,
      entries: engine.near.size,
      weight: engine.near.weight,
      marks: engine.marks.size,
      tiers: tierNames(engine),
      reach: reachOf(engine.stack.farther),
      bounds: engine.stack.hasMemory ? boundsOf(engine) : undefined,
      breakers,
      queuedWrites: engine.writes.size,
      backplane: backplaneName(engine),
    }
  })
