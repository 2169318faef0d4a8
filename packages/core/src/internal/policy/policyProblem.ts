import { InvalidPolicy } from "../../InvalidPolicy.ts"
import { mistakeIn, type Names } from "../runtime/optionNames.ts"
import { reasonOf } from "../runtime/shownValue.ts"

/** The error for a value: `must` continues the sentence "the option must". */
export const problem = (field: string, must: string, got: unknown): InvalidPolicy =>
  new InvalidPolicy({ field, reason: reasonOf(must, got) })

/** The error for options that are not an object, or have an unknown name. */
export const misnamed = (
  options: unknown,
  names: Names,
  within = "",
): InvalidPolicy | undefined => {
  const mistake = mistakeIn(options, names, within)
  return mistake && new InvalidPolicy(mistake)
}
