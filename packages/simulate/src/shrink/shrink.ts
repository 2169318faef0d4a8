/** Makes a failing plan smaller while it still breaks the same law: fewer nodes, steps and faults. */
import type { Law } from "../check/Violation.ts"
import type { Config, Plan, Step } from "../plan/Plan.ts"
import { judge } from "../run/judge.ts"

export type Fails = (plan: Plan) => boolean

/** Whether a plan breaks this law. */
export const breaks =
  (law: Law): Fails =>
  (plan) =>
    judge(plan, { twice: law === "same" }).violations.some((one) => one.law === law)

/** Runs of one shrinking. */
const mostRuns = 1_000

class Budget {
  #left = mostRuns
  readonly #fails: Fails

  constructor(fails: Fails) {
    this.#fails = fails
  }

  readonly fails: Fails = (plan) => {
    if (this.#left <= 0) return false
    this.#left -= 1
    return this.#fails(plan)
  }
}

/** What takes as long as a step, and does nothing. */
const nothing: Step = { _tag: "wait", millis: 1 }

const isNothing = (step: Step): boolean => step._tag === "wait"

/** Delta debugging: replaces pieces of the steps by waits, so that the others keep their times. */
const emptySteps = (plan: Plan, fails: Fails): Plan => {
  let { steps } = plan
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < steps.length; from += size) {
      const emptied = steps.map((step, place) =>
        place >= from && place < from + size && !isNothing(step) ? nothing : step,
      )
      const isSame = emptied.every((step, place) => step === steps[place])
      if (!isSame && fails({ ...plan, steps: emptied })) steps = emptied
    }
  }
  return { ...plan, steps }
}

/** One wait in place of several. */
const joinedWaits = (plan: Plan, fails: Fails): Plan => {
  const steps: Array<Step> = []
  for (const step of plan.steps) {
    const last = steps.at(-1)
    if (step._tag !== "wait" || last?._tag !== "wait") steps.push(step)
    else steps[steps.length - 1] = { _tag: "wait", millis: last.millis + step.millis }
  }
  const joined = { ...plan, steps }
  return steps.length < plan.steps.length && fails(joined) ? joined : plan
}

/** Delta debugging: leaves pieces of the steps out, half of them, then smaller ones. */
const fewerSteps = (plan: Plan, fails: Fails): Plan => {
  let steps = plan.steps
  for (
    let size = Math.ceil(steps.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = steps.length - size; from > -size; from -= size) {
      const without = [...steps.slice(0, Math.max(0, from)), ...steps.slice(from + size)]
      if (without.length < steps.length && fails({ ...plan, steps: without })) steps = without
    }
    if (size === 1) break
  }
  return { ...plan, steps }
}

const simpler: ReadonlyArray<Partial<Config>> = [
  { file: false },
  { push: false },
  { checked: false },
  { earlyRefresh: false },
  { latency: 0 },
  { tierWrites: "awaited" },
  { maxEntries: 10_000 },
  { maxFreshFor: null },
  { softTimeout: null },
  { staleWhileRevalidate: 0 },
  { staleIfError: 0 },
  { settleTime: 60_000 },
  { skews: [] },
  { releases: undefined },
  { replicaLag: 0 },
]

const fewerNodes = (plan: Plan, fails: Fails): Plan => {
  let { nodes } = plan.config
  while (nodes > 1 && fails({ ...plan, config: { ...plan.config, nodes: nodes - 1 } })) nodes -= 1
  return { ...plan, config: { ...plan.config, nodes } }
}

const simplerConfig = (plan: Plan, fails: Fails): Plan => {
  let { config } = plan
  for (const change of simpler) {
    const changed = Object.assign({}, config, change)
    const isSame = JSON.stringify(changed) === JSON.stringify(config)
    if (!isSame && fails({ ...plan, config: changed })) config = changed
  }
  return { ...plan, config }
}

/** Only the keys that the steps name. */
const fewerKeys = (plan: Plan, fails: Fails): Plan => {
  const used = plan.steps.flatMap((step) =>
    "keys" in step ? step.keys : "key" in step ? [step.key] : [],
  )
  const keys = Math.max(1, ...used.map((key) => Number(key.slice(3)) + 1))
  const fewer = { ...plan, config: { ...plan.config, keys } }
  return keys < plan.config.keys && fails(fewer) ? fewer : plan
}

const shorterWait = (step: Step): Step | undefined =>
  step._tag === "wait" && step.millis > 1
    ? { ...step, millis: Math.floor(step.millis / 2) }
    : undefined

const shorterWaits = (plan: Plan, fails: Fails): Plan => {
  let { steps } = plan
  for (const [place, step] of plan.steps.entries()) {
    const shorter = shorterWait(step)
    if (shorter === undefined) continue
    const changed = steps.with(place, shorter)
    if (fails({ ...plan, steps: changed })) steps = changed
  }
  return { ...plan, steps }
}

const passes = [
  emptySteps,
  joinedWaits,
  fewerSteps,
  fewerNodes,
  simplerConfig,
  fewerKeys,
  fewerSteps,
  joinedWaits,
  shorterWaits,
]

/** The plan must fail. */
export const shrink = (plan: Plan, fails: Fails): Plan => {
  const budget = new Budget(fails)
  return passes.reduce((best, pass) => pass(best, budget.fails), plan)
}
