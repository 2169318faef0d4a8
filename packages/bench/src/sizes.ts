/** The common sizes of all cases and contenders. */

/** Keys that every case draws from. */
export const keyCount = 10_000

/** The capacity of every memory. */
export const maxEntries = 50_000
