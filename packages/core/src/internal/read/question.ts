/** One caller's question: what it asks for, why it may be refused, and its deadline. */
import * as Exit from "effect/Exit"
import { InvalidKey } from "../../LarderError.ts"
import * as answers from "../observe/answers.ts"
import { closed } from "../state/closed.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Policy } from "../../Policy.ts"
import type { Candidate, Demand } from "../state/flight.ts"
import * as keys from "../state/key.ts"

/** One caller's question, before its key is checked. */
export interface Question {
  readonly key: unknown
  /** The key as tiers store it; undefined for an invalid key. */
  readonly k: string | undefined
  readonly demand: Demand
  readonly span: CallerSpan
  /** When the caller arrived, ms. */
  readonly since: number
  /** Turns a value into the caller's exit. */
  readonly reply: (given: Candidate) => Exit.Exit<unknown>
}

/** A question with a valid key. */
export interface Call extends Question {
  readonly k: string
}

export const anything: Demand = {
  notBefore: -Infinity,
  allowStale: true,
  confirmedAfter: -Infinity,
}

/** The demand of a call, and that of a policy with checks: the stricter one. */
export const withChecks = (
  engine: Engine,
  demand: Demand,
  { checkEvery }: Pick<Policy, "checkEvery"> = engine.settings.policy,
): Demand => {
  if (checkEvery === Infinity || engine.stack.arbiter === undefined) return demand
  // The moment of the first decision, also where the call is decided again: else it might never end.
  const calledAt = demand.calledAt ?? engine.moment()
  const confirmedAfter = Math.max(calledAt - checkEvery, demand.confirmedAfter)
  return { ...demand, calledAt, confirmedAfter }
}

/** Why the larder refuses a question: closed, or an invalid key. */
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

/** As {@link refusal}, for a call, which ends with it. */
export const countedRefusal = (
  engine: Engine,
  key: unknown,
  k: string | undefined,
): Exit.Exit<never, unknown> | undefined => {
  const refused = refusal(engine, key, k)
  if (refused !== undefined) {
    const { closed: isClosed, observer } = engine
    const told = isClosed && k !== undefined ? k : keys.show(key)
    answers.failed(observer, told, isClosed ? "closed" : "invalidKey", undefined)
  }
  return refused
}

/** The exit of a call that finds the larder closed after it has waited. */
export const countedClosed = (
  engine: Engine,
  k: string,
  waited: number | undefined,
): Exit.Exit<never> => {
  answers.failed(engine.observer, k, "closed", waited)
  return closed(engine)
}

/**
 * Law 9: a call ends by this moment of monotonic time, however many lookups it waits for. Its wait begins
 * anew where that has passed: the process stood still.
 */
export const deadlineOf = (engine: Engine, arrivedAt: number): number => {
  const { hardTimeout, tierBudget } = engine.settings.policy
  const longest = tierBudget + engine.stack.leaseWaitMillis + hardTimeout
  const now = engine.stopwatch()
  return (now < arrivedAt + longest ? arrivedAt : now) + longest
}
