/** Counts as text. */

/** Names with how often they come, in the order of their first: `GET, 2 EVALSHA`. */
export const counted = (commands: Iterable<readonly [name: string, times: number]>): string => {
  const texts = [...commands].map(([name, times]) =>
    times === 1 ? name.toUpperCase() : `${times} ${name.toUpperCase()}`,
  )
  return texts.length === 0 ? "none" : texts.join(", ")
}

export const tally = (commands: ReadonlyArray<string>): ReadonlyMap<string, number> =>
  new Map([...Map.groupBy(commands, (name) => name)].map(([name, same]) => [name, same.length]))

/** Columns as wide as they need be, the first row as heads. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  )
  return rows
    .map((cells) =>
      `  ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd(),
    )
    .join("\n")
}
