import { InvalidPolicy } from "../../InvalidPolicy.ts"
import { reasonOf } from "../runtime/shownValue.ts"

/** The error for a value: `must` continues the sentence "the option must". */
export const problem = (field: string, must: string, got: unknown): InvalidPolicy =>
  new InvalidPolicy({ field, reason: reasonOf(must, got) })
