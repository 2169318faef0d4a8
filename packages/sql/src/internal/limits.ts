/**
 * The bounds of the change tables and of the outboxes. docs/limits.md lists them with their consequences. A name that ends in
 * `Millis` is in milliseconds; the others count what their name says.
 */

/** Keys, or tags, of one change. A longer list invalidates about as much as everything, and is slower. */
export const keysPerChange = 1_000
/** Changes. Together they take a few milliseconds. */
export const changesPerRead = 500
/** ms, the default where nothing wakes the reader. One small query a second. */
export const pollMillis = 1_000
/** ms, the default where the database wakes the reader: for a wake-up that was lost. */
export const pollBesideWakeUpsMillis = 10_000
/** ms, doubled after each look: pauses while a change waits for an older transaction to end. */
export const firstPendingMillis = 20
/** ms. The longest such pause. */
export const longestPendingMillis = 1_000
/** ms, doubled after each attempt: pauses while the database is away. */
export const firstRetryMillis = 50
/** ms. The longest such pause. */
export const longestRetryMillis = 5_000
/** ms: 7 days. As long as a larder remembers invalidations. */
export const retentionMillis = 7 * 24 * 60 * 60 * 1_000
/** ms. Between two looks for changes that are older than the retention. */
export const pruneMillis = 60_000
/** Changes that one statement deletes. More would hold up the writers. */
export const changesPerPrune = 1_000

/** Rows of an outbox that are counted for a flusher that is told how many keys wait: more than any batch. */
export const countedRows = 1_000
