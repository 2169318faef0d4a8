/** The situation in which a fault of Larder showed, as a plan. `pnpm torture` has found these faults. */
import type { OldFaultName } from "@larder/mutate/oldFaults"
import { check } from "../check/check.ts"
import { shown } from "../check/Violation.ts"
import type { Plan } from "../plan/Plan.ts"
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
