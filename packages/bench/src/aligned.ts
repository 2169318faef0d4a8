/** Formats cells as lines of text. */

/**
 * Columns as wide as their widest cell: the first `left` of them are aligned left, the others
 * right.
 */
export const aligned = (
  rows: ReadonlyArray<ReadonlyArray<string>>,
  left: number,
): ReadonlyArray<string> => {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  )
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  )
}
