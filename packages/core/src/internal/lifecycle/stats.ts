/** A larder's counts at one moment. */
import * as Effect from "effect/Effect"
import type { State } from "effect/persistence/CircuitBreaker"
import type { Engine } from "../state/engine.ts"
import type { TierScope } from "../../Tier.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { MemoryBounds } from "../memory/bounds.ts"
import type { Counters } from "../observe/eventHub.ts"
import { uniqueName } from "../runtime/uniqueName.ts"

/** Counts since the larder was made, and what it holds now. */
export interface Stats extends Readonly<Counters> {
  readonly name: string
  /** Keys being looked up. */
  readonly inFlight: number
  /** In memory. */
  readonly entries: number
  /** In memory, in the unit of the tier's `weigh`. */
  readonly weight: number
  /** Tags that are marked. */
  readonly marks: number
  /** The tiers, nearest first. */
  readonly tiers: ReadonlyArray<string>
  /**
   * How far its entries reach: `"process"` where they are in this process alone, so that no
   * other sees them and a restart begins without them; `"machine"`; or `"shared"`.
   */
  readonly reach: TierScope
  /** What memory is held to now; undefined without a memory tier. */
  readonly bounds: Required<MemoryBounds> | undefined
  /**
   * Of the upstream and of tiers behind memory, by name; a second tier of one name is
   * `name-2` here. Of a tier of several servers, also of each
   * that has keys which were asked for.
   */
  readonly breakers: Readonly<Record<string, State["_tag"]>>
  /** Keys whose value was set and is still on its way to the tiers behind memory. */
  readonly queuedWrites: number
  /** How nodes hear of each other's changes. */
  readonly backplane: string
}

const reachOf = (farther: ReadonlyArray<FartherTier>): TierScope => {
  const scopes = new Set(farther.map(({ scope }) => scope))
  if (scopes.has("shared")) return "shared"
  return scopes.has("machine") ? "machine" : "process"
}

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
        // Tiers of one name must not hide each other.
        if (state._tag === "Some") {
          breakers[uniqueName(circuit, Object.keys(breakers))] = state.value._tag
        }
      }
    }
    const names = engine.stack.farther.map(({ name }) => name)
    return {
      ...engine.observer.counters,
      name: engine.settings.name,
      inFlight: engine.flights.inFlight,
      entries: engine.near.size,
      weight: engine.near.weight,
      marks: engine.marks.size,
      tiers: engine.stack.hasMemory ? [engine.nearName, ...names] : names,
      reach: reachOf(engine.stack.farther),
      bounds: engine.stack.hasMemory ? boundsOf(engine) : undefined,
      breakers,
      queuedWrites: engine.writes.size,
      backplane: "none",
    }
  })
