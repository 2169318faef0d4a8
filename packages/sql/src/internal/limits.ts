/**
 * The bounds of what this package keeps in a database. docs/limits.md lists them with their consequences.
 */

/** Rows that are counted for a flusher that is told how many keys wait: more than any batch. */
export const countedRows = 1_000
