/** Values of one key, merged as the outbox says. `None` is a removal. */
import * as Option from "effect/Option"

export type Merge<A> = (older: A, newer: A) => A

/** What is left of two writes. Nothing of the older one is left by a removal, nor by a write after one. */
export const merged = <A>(
  merge: Merge<A> | undefined,
  older: Option.Option<A>,
  newer: Option.Option<A>,
): Option.Option<A> =>
  merge === undefined || Option.isNone(older) || Option.isNone(newer)
    ? newer
    : Option.some(merge(older.value, newer.value))
