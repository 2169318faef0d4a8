/** The newest entry of a key in a stack without an arbiter: that of the nearest tier that has one. */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import { Budget } from "../tier/budget.ts"

export const newestNearby = (
  engine: Engine,
  k: string,
): Effect.Effect<Entry<unknown> | undefined> =>
  Effect.gen(function* () {
    const queued = engine.writes.newest(k)
    if (queued !== undefined) return queued.entry
    const local = engine.entries.candidate(k, engine.now())
    if (local?.freshness._tag === "Fresh") return local.entry
    const budget = new Budget(engine.settings.policy.tierBudget)
    for (const tier of engine.stack.farther) {
      const [found] = yield* tier.read([k], budget)
      if (found?._tag === "Entry") return found.entry
    }
    return local?.entry
  })
