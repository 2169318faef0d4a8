import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/**
 * The exit for a caller that was not interrupted itself: removes interruptions from the cause, and
 * dies with `defect` where nothing else is left.
 */
export const withoutInterrupts = <A, E>(
  exit: Exit.Exit<A, E>,
  defect: () => unknown,
): Exit.Exit<A, E> => {
  if (Exit.isSuccess(exit) || !Cause.hasInterrupts(exit.cause)) return exit
  const others = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  return others.length === 0 ? Exit.die(defect()) : Exit.failCause(Cause.fromReasons(others))
}
