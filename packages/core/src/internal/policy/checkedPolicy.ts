/** Checks policies that users pass in: a policy copied by hand has not passed `Policy.make`. */
import * as Result from "effect/Result"
import { InvalidPolicy, isPolicy, makeResult, type Policy } from "../../Policy.ts"
import { problem } from "./policyProblem.ts"
import * as madePolicies from "./madePolicies.ts"

const durations = [
  "freshFor",
  "staleWhileRevalidate",
  "staleIfError",
  "softTimeout",
  "hardTimeout",
  "retryAfterFailure",
  "tierTimeout",
  "tierBudget",
  "checkEvery",
] as const

/** Checks a policy copied by hand. Its durations must be numbers, unlike those of `Policy.make`'s options. */
const problemOf = (policy: Policy): Result.Result<Policy, InvalidPolicy> => {
  for (const field of durations) {
    const value: unknown = policy[field]
    if (typeof value === "number") continue
    return Result.fail(problem(field, "be a number of milliseconds", value))
  }
  return makeResult(policy)
}

/** `giver` names the origin of the policy. Throws `InvalidPolicy`. */
export const checkedPolicy = (policy: unknown, giver: string): Policy => {
  if (!isPolicy(policy)) {
    throw problem("policy", `be a result of Policy.make (${giver})`, policy)
  }
  if (madePolicies.has(policy)) return policy
  const checked = problemOf(policy)
  if (Result.isSuccess(checked)) return checked.success
  const { field, reason } = checked.failure
  const remedy = "use Policy.make({ ...policy, ... }) to change a policy"
  throw new InvalidPolicy({ field, reason: `${reason} (${giver} was copied by hand; ${remedy})` })
}
