/** What was counted and what was lost, as text. */
import type { Way } from "./counters.ts"
import type { Counted } from "./kills.ts"

const wayNames: Readonly<Record<Way, string>> = {
  through: "through: the source counts",
  behind: "behind: the cache counts",
  merged: "behind with merge: the outbox counts",
}

const columns = [
  "",
  "outbox",
  "counted",
  "in the source",
  "lost",
  "µs a view",
  "rows for 100 views",
]

const rowOf = (counted: Counted): ReadonlyArray<string> => [
  wayNames[counted.way],
  counted.way === "through" ? "none" : counted.store,
  `${counted.acknowledged}`,
  `${counted.stored}`,
  `${counted.lost}`,
  counted.microsPerView.toFixed(0),
  (counted.rowsPerView * 100).toFixed(1),
]

export const table = (all: ReadonlyArray<Counted>): ReadonlyArray<string> => {
  const rows = [columns, ...all.map(rowOf)]
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  )
}

export const legend: ReadonlyArray<string> = [
  "counted: views whose call had ended before the kill; the source may have more, whose callers had no answer yet",
  "lost: views that were counted and that the source does not have after the next process has flushed",
  "µs a view, rows: in a process that is not killed, eight views at a time",
]
