/**
 * Calls of the functions that a user gives among the options of a larder or of a
 * memory tier. A call that throws or answers nonsense is one defect,
 * `OptionFailed`, which names the option; each place that calls decides what the
 * defect costs:
 *
 * - a value just looked up is given to its callers and not kept;
 * - an entry that is stored counts as undecodable: a miss that the next load repairs;
 * - a value that a caller sets is refused before anything changes.
 */
import { OptionFailed } from "../../LarderError.ts"

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause)

/** `f`, whose failures name the option. `nonsense` says what is wrong with an answer. */
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

/** What `f` gives, or what `onFailure` makes of the option that failed. Other defects pass. */
export const attempt = <A>(f: () => A, onFailure: (failure: OptionFailed) => A): A => {
  try {
    return f()
  } catch (failure) {
    if (failure instanceof OptionFailed) return onFailure(failure)
    throw failure
  }
}
