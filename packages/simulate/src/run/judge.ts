/** Runs a plan and judges it. */
import { check } from "../check/check.ts"
import { violation, type Violation } from "../check/Violation.ts"
import type { History } from "../history/History.ts"
import { isFault } from "../plan/faults.ts"
import { generate, type Size } from "../plan/generate.ts"
import type { Plan } from "../plan/Plan.ts"
import { simulate } from "./simulate.ts"

export interface Figures {
  readonly calls: number
  readonly lookups: number
  readonly messages: number
  readonly faults: number
  /** ms of virtual time. */
  readonly millis: number
}

export const nothing: Figures = { calls: 0, lookups: 0, messages: 0, faults: 0, millis: 0 }

export interface Judged {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly figures: Figures
}

const figuresOf = (history: History): Figures => ({
  calls: history.calls.length,
  lookups: history.lookups.length,
  messages: history.deliveries.length,
  faults: history.steps.filter(({ step }) => isFault(step)).length,
  millis: history.over.at,
})

/** A run that throws, such as one that never rests, breaks the law that callers are answered. */
const ran = (plan: Plan): History | Violation => {
  try {
    return simulate(plan)
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return violation("inTime", 0, undefined, undefined, text)
  }
}

/** Equal runs have equal histories, one for one. */
const differs = (one: History, other: History): boolean => seen(one) !== seen(other)

const seen = ({ beats, calls, deliveries, leases, lookups, runs, tenures }: History): string =>
  JSON.stringify([calls, lookups, runs, leases, tenures, deliveries, beats])

const again = (plan: Plan, history: History): ReadonlyArray<Violation> => {
  const other = ran(plan)
  const isSame = !("law" in other) && !differs(history, other)
  return isSame ? [] : [violation("same", 0, undefined, undefined, "a second run differs")]
}

export interface JudgeOptions {
  /** Runs the plan a second time, and compares. */
  readonly twice?: boolean
}

export const judge = (plan: Plan, { twice = false }: JudgeOptions = {}): Omit<Judged, "seed"> => {
  const history = ran(plan)
  if ("law" in history) {
    return { violations: [history], figures: nothing }
  }
  const violations = check(history)
  return {
    violations: twice ? [...violations, ...again(plan, history)] : violations,
    figures: figuresOf(history),
  }
}

/** One seed in so many runs twice, for law 21. */
const twiceEvery = 10

export const judgeSeed = (seed: number, size: Size): Judged => ({
  seed,
  ...judge(generate(seed, size), { twice: seed % twiceEvery === 0 }),
})
