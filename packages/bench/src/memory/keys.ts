/** Keys that exist before anything is measured. */

/**
 * Number `from` and those after it, each a string of its own in one piece: what is
 * joined of several pieces would become smaller or larger while a map works with it.
 */
export const keys = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) =>
    Buffer.from(`product:${String(from + n).padStart(8, "0")}`, "latin1").toString("latin1"),
  )
