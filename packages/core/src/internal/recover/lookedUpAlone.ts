/**
 * Values that this node looked up by itself, since the arbiter did not answer. Other nodes may have
 * another value of the key, and no message tells of it. Once the arbiter answers again, such an entry is
 * suspect as after a gap: the next read asks the arbiter, and all nodes agree.
 */
import * as Effect from "effect/Effect"
import { missedRetryMillis } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { beforeAll } from "../state/localEntries.ts"
import { suspect, suspectAll } from "../state/suspicion.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"

/**
 * Marks the key for a later check, once its value is in memory. Skips a key that was looked up again for
 * this reason while its server answers other requests: its record may be damaged for good, and it would
 * be looked up every second.
 */
export const suspectOnceAnswered = (
  engine: Engine,
  arbiter: FartherTier,
  { k, stale }: Flight,
): void => {
  if (stale?.gapsBefore === beforeAll && arbiter.answers(k)) return
  const { alone } = engine
  alone.add(k)
  if (alone.isScheduled) return
  alone.isScheduled = true
  lookLater(engine, arbiter)
}

const lookLater = (engine: Engine, arbiter: FartherTier): void => {
  engine.timers.schedule(engine.now() + missedRetryMillis, () => look(engine, arbiter))
}

const look = (engine: Engine, arbiter: FartherTier): void => {
  engine.fibers.fork(
    Effect.map(asked(engine, arbiter), () => {
      const { alone } = engine
      const answered = alone.take((k) => arbiter.answers(k))
      if (answered === "all") suspectAll(engine, undefined)
      else for (const k of answered) suspect(engine, k)
      alone.isScheduled = !alone.isEmpty
      if (alone.isScheduled) lookLater(engine, arbiter)
    }),
  )
}

/**
 * Reads one key from each server that did not answer: a node whose calls are all hits in memory would not
 * notice that it answers again.
 */
const asked = ({ alone, settings }: Engine, arbiter: FartherTier): Effect.Effect<unknown> => {
  const silent = alone.keys.filter((k) => !arbiter.answers(k))
  const ofParts = new Map(silent.map((k) => [arbiter.partOf(k), k]))
  if (ofParts.size === 0) return Effect.void
  return arbiter.read([...ofParts.values()], new Budget(settings.policy.tierBudget))
}
