/** The sizes that all cases and contenders have in common. */

/** Keys that every case draws from. */
export const keyCount = 10_000

/** The entries that every memory may hold. */
export const maxEntries = 50_000
