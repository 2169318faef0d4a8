/** Classifies errors of SQLite for the tier. */
import * as Schema from "effect/Schema"

export type Failure =
  /** Another process is writing and finishes in a moment. */
  | "busy"
  /** The file, or its disk, has no room. */
  | "full"
  /** The content of the file is no sound database. */
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

/** The file is foreign: the tier neither moves nor changes it. */
export class NotOurs extends Schema.TaggedError<NotOurs>()("NotOurs", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** The disk cannot take a value, even after evicting entries. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { bytes: Schema.Finite }) {
  override get message(): string {
    return `the disk has no room for ${this.bytes} bytes`
  }
}

/** Another program removed or changed tables. */
const otherTables = /no such table|no such column|has no column|columns but/

/** Maps SQLite's primary result code. */
export const failureOf = (cause: unknown): Failure => {
  if (!(cause instanceof Error) || !("errcode" in cause)) return "other"
  const { errcode } = cause
  if (typeof errcode !== "number") return "other"
  if (errcode === 1 && otherTables.test(cause.message)) return "corrupt"
  return byCode[errcode & 0xff] ?? "other"
}
