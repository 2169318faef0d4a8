/** Checks policies that users pass in: a copy made by hand has passed no check. */
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
] as const

/** Checks a copy made by hand. In a policy, unlike in options, durations are numbers. */
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
    throw problem("policy", `be what Policy.make returns (${giver})`, policy)
  }
  if (madePolicies.has(policy)) return policy
  const checked = problemOf(policy)
  if (Result.isSuccess(checked)) return checked.success
  const { field, reason } = checked.failure
  const remedy = "change a policy by Policy.make({ ...policy, ... })"
  throw new InvalidPolicy({ field, reason: `${reason} (${giver} was copied by hand; ${remedy})` })
}
