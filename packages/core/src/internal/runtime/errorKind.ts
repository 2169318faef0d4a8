import type * as Cause from "effect/Cause"
import { hasProperty } from "effect/Predicate"

/**
 * What an error is, without its text, which may quote a key or a value: its tag, else the name of its
 * class, `_OTHER` for what has neither; undefined for an interruption.
 */
export const errorKind = ({ reasons }: Cause.Cause<unknown>): string | undefined => {
  for (const reason of reasons) {
    if (reason._tag === "Interrupt") continue
    return kindOf(reason._tag === "Die" ? reason.defect : reason.error)
  }
  return undefined
}

export const kindOf = (error: unknown): string => {
  if (hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : "_OTHER"
}
