/** All rules. They see a history, and nothing of the implementation. */
import type { History } from "../history/History.ts"
import { answers } from "./answers.ts"
import { convergence } from "./convergence.ts"
import { Facts } from "./Facts.ts"
import { leases } from "./leases.ts"
import { liveness } from "./liveness.ts"
import { lookups } from "./lookups.ts"
import { transactions } from "./transactions.ts"
import { updates } from "./updates.ts"
import type { Violation } from "./Violation.ts"

/** The violations, the earliest first. */
export const check = (history: History): ReadonlyArray<Violation> => {
  const facts = new Facts(history)
  return [
    ...answers(facts),
    ...lookups(facts),
    ...liveness(facts),
    ...convergence(facts),
    ...transactions(facts),
    ...updates(facts),
    ...leases(facts),
  ].toSorted((one, other) => one.at - other.at)
}
