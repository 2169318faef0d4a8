/** What a failed effect says of the source. */
import * as Exit from "effect/Exit"
import type { Engine } from "../state/engine.ts"

/** A function that names the errors of an effect which say that it has not changed the source. */
export type Untouched = (error: unknown) => boolean

/** For an `update` of what only the cache has: `true` says that its function never writes a source. */
export type UntouchedOrNever = Untouched | true

/** Whether a failed effect has left the source as it was: it failed with errors alone, which all say so. */
export const isUntouched = (
  engine: Engine,
  exit: Exit.Exit<unknown, unknown>,
  untouched: UntouchedOrNever | undefined,
): boolean => {
  if (untouched === undefined || Exit.isSuccess(exit)) return false
  if (untouched === true) return true
  const { reasons } = exit.cause
  return reasons.every((reason) => reason._tag === "Fail" && says(engine, untouched, reason.error))
}

const says = (engine: Engine, untouched: Untouched, error: unknown): boolean => {
  try {
    return untouched(error)
  } catch {
    engine.warnings.warn(
      "untouched",
      "the option untouched failed on an error, so the error counts as one after which the source may have changed. Make untouched work for every error",
    )
    return false
  }
}
