/** One caller's question: what it asks for, whether it can be asked at all, and by when it is answered. */
import * as Exit from "effect/Exit"
import type * as Decision from "../../Decision.ts"
import { InvalidKey, LarderClosed } from "../../LarderError.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Candidate } from "../state/flight.ts"
import * as keys from "../state/key.ts"

/** One caller's question, as it comes. */
export interface Question {
  readonly key: unknown
  /** The key as tiers know it; undefined when it is no key. */
  readonly k: string | undefined
  readonly demand: Decision.ReadDemand
  readonly span: CallerSpan
  /** When it came, ms. */
  readonly since: number
  /** What the caller gets for a value. */
  readonly reply: (given: Candidate) => Exit.Exit<unknown>
}

/** A question that can be asked. */
export interface Call extends Question {
  readonly k: string
}

export const anything: Decision.ReadDemand = { notBefore: -Infinity, allowStale: true }

/** Why a question cannot be asked at all. */
export const refusal = (
  engine: Engine,
  key: unknown,
  k: string | undefined,
): Exit.Exit<never, unknown> | undefined => {
  if (engine.closed) return closed(engine)
  const reason = k === undefined ? engine.settings.keyProblem(key) : keys.invalid(k)
  return reason === undefined
    ? undefined
    : Exit.fail(new InvalidKey({ larder: engine.settings.name, key: keys.show(key), reason }))
}

export const closed = (engine: Engine): Exit.Exit<never> =>
  Exit.die(new LarderClosed({ larder: engine.settings.name }))

/**
 * Law 9: however many lookups a call has to wait for, it ends by this moment, in
 * monotonic time. For how long it has waited is not believed of a clock that was set.
 */
export const deadlineOf = (engine: Engine, since: number): number => {
  const { hardTimeout, tierBudget } = engine.settings.policy
  const longest = tierBudget + engine.stack.leaseMillis + hardTimeout
  const waited = engine.now() - since
  return engine.stopwatch() + longest - (waited >= 0 && waited < longest ? waited : 0)
}
