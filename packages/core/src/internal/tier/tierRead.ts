/** What a tier answers to a read. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Entry from "../../Entry.ts"
import { atOnce } from "../runtime/syncExit.ts"

/** What a tier has at a key. Times are the node's. */
export type TierRead =
  | {
      readonly _tag: "Entry"
      readonly entry: Entry.Entry<unknown>
      /** When the arbiter last said that it has this one, in monotonic time; undefined where nobody arbitrates, or it has not. */
      readonly confirmedAt?: number | undefined
    }
  /** Nothing that can be used; `version` is the highest there was, 0 for none. `isRemoved`: at that version the key was removed. */
  | { readonly _tag: "Nothing"; readonly version: number; readonly isRemoved?: boolean }
  /** A newer release of the application wrote it: to be left alone. */
  | { readonly _tag: "Foreign"; readonly version: number }

export type TierEntry = Extract<TierRead, { readonly _tag: "Entry" }>

export const nothing: TierRead = { _tag: "Nothing", version: 0 }

/** Values that are decoded side by side: each has its own time, which others must not take. */
export const decodedAtOnce = 16

/** What these give, in their order; at once where all of them have ended. */
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
    : Effect.all(effects, { concurrency: decodedAtOnce })
}
