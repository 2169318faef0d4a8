/** A tier's answer to a read. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Entry from "../../Entry.ts"
import { atOnce } from "../runtime/syncExit.ts"
import { valuesDecodedAtOnce } from "../runtime/limits.ts"

/**
 * A tier's answer for one key. Times are of the node's clock. `unconfirmed`: the entry as it was before
 * a gap made it suspect, where the arbiter's version alone can confirm it.
 */
export type TierRead =
  | {
      readonly _tag: "Entry"
      readonly entry: Entry.Entry<unknown>
      /** When the arbiter last confirmed the entry, in monotonic time; undefined without arbiter or confirmation. */
      readonly confirmedAt?: number | undefined
      readonly unconfirmed?: Entry.Entry<unknown> | undefined
    }
  /**
   * No usable entry; `version` is the highest known, 0 for none. `isRemoved`: that version is a removal.
   * `isUndecodable`: there are bytes that are no entry.
   */
  | {
      readonly _tag: "Nothing"
      readonly version: number
      readonly isRemoved?: boolean
      readonly isUndecodable?: boolean
      readonly unconfirmed?: Entry.Entry<unknown> | undefined
    }
  /** An entry of a newer release of the application: do not overwrite it. */
  | { readonly _tag: "Foreign"; readonly version: number }

export type TierEntry = Extract<TierRead, { readonly _tag: "Entry" }>

export const nothing: TierRead = { _tag: "Nothing", version: 0 }

/** The results in order; an exit where all effects are exits. */
export const allAtOnce = <A>(
  effects: ReadonlyArray<Effect.Effect<A>>,
): Effect.Effect<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for (const effect of effects) {
    const done = atOnce(effect)
    if (done !== undefined && Exit.isSuccess(done)) all.push(done.value)
  }
  return all.length === effects.length
    ? Exit.succeed(all)
    : Effect.all(effects, { concurrency: valuesDecodedAtOnce })
}
