/** The situation in which a fault of Larder showed, as a plan. `pnpm torture` has found these faults. */
import type { OldFaultName } from "@larder/mutate/oldFaults"
import { check } from "../check/check.ts"
import { shown } from "../check/Violation.ts"
import type { Config, Plan } from "../plan/Plan.ts"
import { simulate } from "../run/simulate.ts"
import type { Expectation } from "./expectations.ts"

export interface Scenario {
  /** The behaviour that the plan must show. */
  readonly name: string
  /** The fault that the plan shows where it is put back. */
  readonly fault: OldFaultName
  readonly plan: Plan
  /** What must hold beyond the laws. */
  readonly expects?: Expectation
}

/** What is wrong, in a line each; empty where the behaviour is there. */
export const faultsOf = ({ expects, plan }: Scenario): ReadonlyArray<string> => {
  const history = simulate(plan)
  const unexpected = expects?.(history)
  return [...check(history).map(shown), ...(unexpected === undefined ? [] : [unexpected])]
}

/** The configuration of scenarios: nothing ends by itself while one is played. */
export const config = (different: Partial<Config>): Config => ({
  nodes: 2,
  keys: 1,
  file: false,
  freshFor: 60_000,
  staleWhileRevalidate: 0,
  staleIfError: 60_000,
  earlyRefresh: false,
  softTimeout: null,
  hardTimeout: 300,
  tierWrites: "awaited",
  checked: false,
  maxEntries: 10_000,
  maxFreshFor: null,
  leaseTime: 1_000,
  settleTime: 60_000,
  push: false,
  latency: 1,
  skews: [],
  seed: 1,
  ...different,
})
