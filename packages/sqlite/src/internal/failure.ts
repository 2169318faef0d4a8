/** What an error of SQLite means for the tier. */

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

/** By SQLite's primary result code. */
export const failureOf = (cause: unknown): Failure => {
  const code =
    typeof cause === "object" && cause !== null && "errcode" in cause ? cause.errcode : undefined
  return typeof code === "number" ? (byCode[code & 0xff] ?? "other") : "other"
}
