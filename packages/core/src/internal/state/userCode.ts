/**
 * Calls user functions among the options of a larder or of a memory tier. A function that throws or
 * returns an invalid result fails with one defect, `OptionFailed`, which names the option. The effect
 * depends on the value:
 *
 * - a value just looked up is returned to its callers and not stored;
 * - a stored entry counts as undecodable: a miss, until the next lookup replaces it;
 * - a value that a caller sets is refused before anything changes.
 */
import { OptionFailed } from "../../LarderError.ts"

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause)

/** `f`, failing with `OptionFailed`. `nonsense` says why a result is invalid. */
export const guarded =
  <A, B, C>(
    larder: string,
    option: string,
    f: (one: A, two: B) => C,
    nonsense: (answer: C) => string | undefined = () => undefined,
  ) =>
  (one: A, two: B): C => {
    const failed = (reason: string, cause?: unknown) =>
      new OptionFailed({ larder, option, reason, cause })
    let answer: C
    try {
      answer = f(one, two)
    } catch (cause) {
      throw failed(messageOf(cause), cause)
    }
    const reason = nonsense(answer)
    if (reason !== undefined) throw failed(reason)
    return answer
  }

/** The result of `f`, or of `onFailure` where `f` throws `OptionFailed`. Other defects pass. */
export const attempt = <A>(f: () => A, onFailure: (failure: OptionFailed) => A): A => {
  try {
    return f()
  } catch (failure) {
    if (failure instanceof OptionFailed) return onFailure(failure)
    throw failure
  }
}
