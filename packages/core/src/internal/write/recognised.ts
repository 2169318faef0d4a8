/** A commit whose answer was lost: the version that the arbiter has tells whether it was stored. */
import * as Effect from "effect/Effect"
import { LeasePauses } from "../runtime/leasePauses.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import { Budget } from "../tier/budget.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import { type Claim, followStored, type Keyed, type Stored, storeUnder } from "./claim.ts"

/**
 * Asks the arbiter until it answers, at most for the time of a lease, and commits again where it has
 * nothing of the value: both commits have one token, so that they store once.
 *
 * Race: a later version is stored by now. While nobody else could be granted the key, our value was stored
 * before it; after that nobody knows.
 */
export const recognised = (
  engine: Engine,
  arbiter: FartherTier,
  keyed: Keyed,
  claim: Claim,
  value: EntryWithPolicy,
): Effect.Effect<Stored> =>
  Effect.gen(function* () {
    const giveUpAt = engine.stopwatch() + engine.stack.leaseMillis
    const pauses = new LeasePauses()
    while (engine.stopwatch() < giveUpAt && !engine.closed) {
      const budget = new Budget(engine.settings.policy.tierBudget)
      const [found] = yield* arbiter.read([keyed.k], budget)
      if (found !== undefined) {
        const version = versionOf(found)
        if (version === claim.token) {
          return yield* followStored(engine, arbiter, keyed, claim, value)
        }
        if (version > claim.token) {
          if (engine.stopwatch() >= claim.heldUntil()) return { _tag: "Unanswered" }
          return yield* followStored(engine, arbiter, keyed, claim, undefined)
        }
        const stored = yield* storeUnder(engine, arbiter, keyed, claim, value)
        // Refused: the first commit has arrived since, or another caller has the key.
        if (stored._tag === "Stored") return stored
        if (stored._tag === "Refused") {
          const [after] = yield* arbiter.read([keyed.k], budget)
          if (after !== undefined && versionOf(after) < claim.token) return stored
        }
      }
      // Without chance: one caller at a time asks about a key.
      yield* engine.sleep(pauses.next(0))
    }
    return { _tag: "Unanswered" }
  })

const versionOf = (found: TierRead): number =>
  found._tag === "Entry" ? found.entry.version : found.version
