/** How far a consumer has read: all up to and with this change. */
import * as Schema from "effect/Schema"
import * as Option from "effect/Option"

/** `tx` is the transaction in Postgres, and 0 in SQLite. */
export interface Place {
  readonly tx: bigint
  readonly seq: bigint
}

/** `epoch` names the change table itself: another one of the same name has other numbers. */
export interface Position extends Place {
  readonly epoch: string
}

const Stored = Schema.fromJsonString(
  Schema.Struct({
    epoch: Schema.String,
    tx: Schema.BigIntFromString,
    seq: Schema.BigIntFromString,
  }),
)

export const encode = Schema.encodeSync(Stored)

const decodeOption = Schema.decodeUnknownOption(Stored)

/** What cannot be read is no position. */
export const decode = (text: string): Position | undefined =>
  Option.getOrUndefined(decodeOption(text))

/** Whether one place is before another. */
export const isBefore = (one: Place, other: Place): boolean =>
  one.tx === other.tx ? one.seq < other.seq : one.tx < other.tx
