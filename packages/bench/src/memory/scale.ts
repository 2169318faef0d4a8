/** How much of everything there is. */

/** Of the cases with one number of entries. */
export const entries = 1_000_000

/** New keys into a full store. */
export const freshKeys = 5_000_000

/** Of hits: some that a processor's cache holds in good part, and some that it does not. */
export const hitEntries = [100_000, 1_000_000]

/** What Larder may take beyond key and value. */
export const bytesGoal = 95

/** What a hit may take of the time lru-cache needs. */
export const hitGoal = 1.5
