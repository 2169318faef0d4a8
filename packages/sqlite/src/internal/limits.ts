/**
 * The bounds of the tier. docs/limits.md lists them with their consequences. A name that ends in
 * `Millis` is in milliseconds, one in `Bytes` in bytes; the others count what their name says.
 */

// ---- options: their defaults ------------------------------------------------------------------

/** Entries. Ten times the default of memory: the file holds more than memory should. */
export const maxEntries = 100_000
/** Bytes of keys and envelopes: 256 MiB. */
export const maxBytes = 256 * 1024 * 1024
/** ms. Half of a `tierTimeout` of 100 ms: the step itself still fits. */
export const busyTimeoutMillis = 50

/** ms. Of the SQL client. Another process's transaction may be long, and its caller has nothing else to fall back on. */
export const clientBusyTimeoutMillis = 5_000
/** Statements. An application has fewer texts, unless it writes values into them. */
export const preparedStatements = 200
/** Rows of a stream that are read together. The process does nothing else meanwhile. */
export const rowsPerChunk = 128
/** ms. The longest pause between two attempts of the SQL client while another connection writes. */
export const longestBusyPauseMillis = 25

// ---- the file ---------------------------------------------------------------------------------

/** Bytes. SQLite takes no row of more than 1,000,000,000 bytes. */
export const rowBytes = 999_000_000
/** ms. Until a file that failed to open is tried again, and between two checks of an open file. */
export const fileCheckMillis = 1_000
/** Rows that one page of `removeWhere` reads: some hundred microseconds. */
export const keysPerPage = 500
/** ms. The pause between two attempts while another process writes. */
export const busyPauseMillis = 2
/** ms. One warning of a topic per this time. */
export const topicQuietMillis = 60_000
/** ms. One warning of the same text per this time. */
export const textQuietMillis = 60 * topicQuietMillis

// ---- entries ----------------------------------------------------------------------------------

/** Expired rows that a write removes: more than the one row that it adds. */
export const sweptPerWrite = 8
/** Rows that a write evicts: a large value's evictions are spread over several writes. */
export const evictedPerWrite = 64
/** Rows that are read together for eviction. */
export const evictedAtOnce = 8

// ---- marks ------------------------------------------------------------------------------------

/** Marks of one larder. As many as a node remembers. */
export const maxMarks = 100_000
/** ms: 7 days. As long as a node remembers them. */
export const markLifeMillis = 7 * 24 * 60 * 60 * 1_000
/** Old marks that a call removes. */
export const marksTrimmedPerCall = 64
/** Marks in one answer. Reading all at once would block the process. */
export const marksPerPage = 5_000

// ---- the disk ---------------------------------------------------------------------------------

/** Changes between two looks at the disk. */
export const changesPerLook = 32
/** Bytes of changes between two looks at the disk. */
export const bytesPerLook = 64 * 1024
/** Bytes. Room for the index of the log, and for writes of other processes. */
export const slackBytes = 64 * 1024
/** Bytes. The log's share of the disk: a quarter, and no more than this. */
export const logBytes = 2 * 1024 * 1024
/** Bytes. With more free room than this the file needs no limit. */
export const plentyBytes = 64 * 1024 * 1024
/** Pages of the log before they are moved into the file: so few that no write takes long. */
export const mostLogPages = 128
/** Bytes that the file of the log keeps once it is empty. */
export const logFileBytes = 1024 * 1024
/** Bytes of the reserve: as large as the log before it is moved, plus the files beside the database. */
export const reserveBytes = 1024 * 1024
/** Bytes. A disk with less free room keeps no reserve. */
export const reserveNeedsBytes = 8 * reserveBytes
/** Bytes of entries to evict first on a full disk; each further attempt doubles them. */
export const firstEvictedBytes = 32 * 1024
/** On a full disk, eviction looks at this many of the oldest rows and takes unread ones first. */
export const consideredAtOnce = 64
