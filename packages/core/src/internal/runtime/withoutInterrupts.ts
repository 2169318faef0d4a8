import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/**
 * The exit as somebody may see it who was not interrupted: interruptions are
 * left out of its cause, and where nothing else is in it, `defect` stands in.
 */
export const withoutInterrupts = <A, E>(
  exit: Exit.Exit<A, E>,
  defect: () => unknown,
): Exit.Exit<A, E> => {
  if (Exit.isSuccess(exit) || !Cause.hasInterrupts(exit.cause)) return exit
  const others = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  return others.length === 0 ? Exit.die(defect()) : Exit.failCause(Cause.fromReasons(others))
}
