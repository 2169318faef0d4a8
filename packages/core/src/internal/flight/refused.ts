/** Lookups that a guard of upstream does not let through: they never reach upstream. */
import * as Exit from "effect/Exit"
import { LookupTimeout } from "../../LarderError.ts"
import type { LookupRefused } from "../../LarderEvent.ts"
import type { Engine } from "../state/engine.ts"
import { reasonOf } from "./lookupResult.ts"
import { areCircuitsClosed } from "./circuits.ts"

type Reason = LookupRefused["reason"]

/** Why a lookup ended that has not reached upstream; undefined where no guard refused it. */
export const refusalOf = (
  engine: Engine,
  exit: Exit.Exit<unknown, unknown>,
): Reason | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  // A guard held the lookup back until its `hardTimeout`.
  if (isTimeout(exit)) return areCircuitsClosed(engine) ? "shed" : "breakerOpen"
  const reason = reasonOf(exit.cause)
  return reason === "breakerOpen" || reason === "shed" ? reason : undefined
}

export const isTimeout = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return false
  const first = exit.cause.reasons[0]
  return first?._tag === "Fail" && first.error instanceof LookupTimeout
}

/** Counts a refused lookup, and tells listeners. */
export const refused = ({ observer }: Engine, key: string, reason: Reason): void => {
  observer.counters.lookupsRefused[reason] += 1
  observer.tell({ _tag: "LookupRefused", key, reason })
}
