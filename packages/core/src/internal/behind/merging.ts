/** Values of one key, merged as the outbox says. `None` is a removal. */
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import { kindOf } from "../runtime/errorKind.ts"

export type Merge<A> = (older: A, newer: A) => A

/** The option `merge` threw, or returned what the schema of the values refuses. */
export class MergeFailed extends Data.TaggedError("MergeFailed")<{
  readonly problem: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `merge ${this.problem}`
  }
}

/** `merge`, which throws `MergeFailed` for a result that is no value of the outbox. */
export const checkedMerge =
  <A>(merge: Merge<A>, isValue: (value: unknown) => boolean): Merge<A> =>
  (older, newer) => {
    let value: A
    try {
      value = merge(older, newer)
    } catch (cause) {
      throw new MergeFailed({ problem: `threw ${kindOf(cause)}`, cause })
    }
    if (isValue(value)) return value
    throw new MergeFailed({ problem: "returned what the schema of the values refuses" })
  }

/** What is left of two writes. Nothing of the older one is left by a removal, nor by a write after one. */
export const merged = <A>(
  merge: Merge<A> | undefined,
  older: Option.Option<A>,
  newer: Option.Option<A>,
): Option.Option<A> =>
  merge === undefined || Option.isNone(older) || Option.isNone(newer)
    ? newer
    : Option.some(merge(older.value, newer.value))
