/** What an error of SQLite means for the tier. */
import * as Schema from "effect/Schema"

export type Failure =
  /** Another process is writing: in a moment it has done so. */
  | "busy"
  /** The file, or its disk, has no room. */
  | "full"
  /** What is in the file is no sound database. */
  | "corrupt"
  /** The file cannot be opened, read or written now; perhaps later. */
  | "unusable"
  | "other"

const byCode: Readonly<Record<number, Failure>> = {
  5: "busy",
  6: "busy",
  8: "unusable",
  10: "unusable",
  11: "corrupt",
  13: "full",
  14: "unusable",
  26: "corrupt",
}

/** The file is something else's: it is neither moved nor changed. */
export class NotOurs extends Schema.TaggedError<NotOurs>()("NotOurs", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** The disk cannot take a value, even when entries go for it. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { bytes: Schema.Finite }) {
  override get message(): string {
    return `the disk has no room for ${this.bytes} bytes`
  }
}

/** Somebody has taken tables away, or changed them. */
const otherTables = /no such table|no such column|has no column|columns but/

/** By SQLite's primary result code. */
export const failureOf = (cause: unknown): Failure => {
  if (!(cause instanceof Error) || !("errcode" in cause)) return "other"
  const { errcode } = cause
  if (typeof errcode !== "number") return "other"
  if (errcode === 1 && otherTables.test(cause.message)) return "corrupt"
  return byCode[errcode & 0xff] ?? "other"
}
