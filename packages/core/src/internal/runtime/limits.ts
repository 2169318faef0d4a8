/**
 * The bounds of a larder and of its tiers: sizes of queues and memories, batches, pauses, retention.
 * One place for all of them; docs/limits.md lists them with their consequences. A name that ends in
 * `Millis` is in milliseconds, one in `Bytes` in bytes; the others count what their name says.
 */

// ---- options of a byte tier: their defaults ---------------------------------------------------

/** ms. Long enough for most lookups, short enough to wait for when a node dies. Renewed after each third. */
export const leaseMillis = 10_000
/** ms. Bounds how late a node learns of another node's invalidation; costs one small trip per this time. */
export const markMaxAgeMillis = 5_000
/** ms. Bounds the age of a delayed value, and so how long an arbiter must remember what came after it. */
export const settleMillis = 60_000
/** ms. Bounds to three times this how long a node counts on messages that no longer come. */
export const heartbeatMillis = 1_000
/** Heartbeats in a row. One or two may be late where a node or the network is busy. */
export const heartbeatsOfSilence = 3
/** Failures in a row. Fewer would open the breaker for the hiccups of a network. */
export const breakerFailures = 5
/** ms. A tier that is down costs one `tierTimeout` per this time: 2 % of it with 100 ms. */
export const breakerOpenMillis = 5_000

// ---- options of a circuit breaker of upstream: their defaults ---------------------------------

/** Failures in a row. As `breakerFailures`. */
export const circuitFailures = 5
/** ms. Longer than `breakerOpenMillis`: an upstream that fails is often overloaded. */
export const circuitOpenMillis = 10_000
/** ms. A caller without a stale value waits for the next probe; one probe a second is little load. */
export const circuitProbeMillis = 1_000
/** Lookups. Each holds a fiber until the probe ends; the others fail at once. */
export const circuitQueue = 1_000
/** ms. For outcomes without a notice: another process's probe, an elected lookup that has left. */
export const circuitRetryMillis = 1_000

// ---- memory -----------------------------------------------------------------------------------

/** Entries. Small enough for a process whose author chose no bound, unless values are large. */
export const memoryEntries = 10_000
/** Entries. Takes about a millisecond. */
export const entriesEvictedPerTurn = 500
/** Keys whose last entry left memory because its life had ended. Ten times `memoryEntries`, in a megabyte. */
export const endedKeys = 131_072
/** Keys. As many as `memoryEntries`; forgetting a failure early costs one lookup. */
export const rememberedFailures = 10_000
/** Keys, the most recently read ones. A sweep looks at them in one turn of the event loop. */
export const keysPerSweep = 1_000
/** Schedules. Bounds the fibers of a policy that makes a schedule for each value. */
export const sweepSchedules = 16

// ---- keys, and calls for many keys ------------------------------------------------------------

/** Bytes of UTF-8. Every tier can store such a name; a longer key is hashed by its author. */
export const keyBytes = 1_024
/** Keys. A look in memory is short, so a turn takes ten times as many as `keysPerPiece`. */
export const keysSoughtPerTurn = 1_000
/** Keys. They share one trip to each tier and one bulk lookup, which must end within their timeouts. */
export const keysPerSlice = 250
/** Slices. More use more memory, and make each other's trips longer. */
export const slicesAtOnce = 8
/**
 * Keys, where there are tiers: a step of one slice takes a few milliseconds, also in code that is not
 * compiled yet. Also of the `get`s that share a trip.
 */
export const keysPerTierSlice = 125
/** Keys, doubled up to `keysPerTierSlice`: the first slices run code that has never run. */
export const keysOfFirstTierSlice = 32
/** Slices, where there are tiers. As many keys as `slicesAtOnce` slices have. */
export const tierSlicesAtOnce = 16
/** Keys. Together they take a few milliseconds. */
export const keysPerPiece = 100
/** Keys. They take less than a millisecond, so that waiting for a turn would cost more than it spares others. */
export const fewKeys = 16
/** ms. Code that is not compiled yet takes ten times as long for each key: then a piece ends by time. */
export const pieceMillis = 3

// ---- requests to tiers ------------------------------------------------------------------------

/** ms, doubled after each request. A lookup that takes less costs its waiters one request. */
export const firstLeasePauseMillis = 50
/** ms. Bounds how long a caller waits after the other node's lookup has ended, if no message tells of it. */
export const longestLeasePauseMillis = 1_000
/** The share by which chance shortens a pause, so that waiting nodes do not ask all at once. */
export const leasePauseJitter = 0.5
/** Requests in a row without an answer, while another node has the lease. One is the hiccup of a network. */
export const leaseRequestsUnanswered = 1
/** Requests, to an arbiter that takes one key at a time. With more, all take longer. */
export const leasesAskedAtOnce = 64
/** Keys whose versions a larder reads in one second, to confirm entries after a gap; those of checked reads do not count. A small part of what a server can do. */
export const headerReadsPerSecond = 10_000
/** Of these, keys without a pause in between. A `getMany` of 1,000 keys waits for none. */
export const headerReadsAtOnce = 1_000
/** Keys. As `keysPerSlice`: together they must be read within `tierTimeout`. */
export const keysPerHeaderRequest = 250
/** Requests for versions to one server. With more, each takes longer. */
export const headerRequestsAtOnce = 4
/** Keys, the most recently read ones, which are confirmed after a gap before anybody asks for them. */
export const keysConfirmedAfterGap = 1_000
/** ms. A random pause of up to this after a gap, so that 100 nodes do not ask all at once. */
export const confirmingJitterMillis = 1_000
/** Keys. As `keysPerTierSlice`, so that the results of a slice are one commit. */
export const keysPerCommit = 125
/** Bytes of envelopes. With more, a step may miss its deadline. */
export const bytesPerCommit = 1_048_576
/** Commits. Four batches: enough to keep the arbiter busy, few enough to bound their memory. */
export const waitingCommits = 1_000
/** Values. Each has a timeout of its own, so with more the last ones would miss it. */
export const valuesDecodedAtOnce = 16
/** ms. A subscription that the tier gave up is rare: the tier itself connects again. */
export const listenPauseMillis = 1_000
/** Servers. More than most clusters have masters; a forgotten one counts as healthy when it returns. */
export const serversPerTier = 256
/** ms. A server that has just started may refuse for some seconds. */
export const probePauseMillis = 500
/** Probes. Together 5 seconds; after them the breaker's own probe decides. */
export const probesAfterReconnect = 10
/** ms. A clock that is only corrected gains less within `markMaxAgeMillis`; a tier's time costs a small trip. */
export const setForwardMillis = 1_000
/** ms. Many changes in one millisecond take later numbers: a thousand milliseconds are a million changes. */
export const versionsAheadMillis = 1_000
/** Keys. As many as a SQLite tier keeps by default; another entry must be confirmed by the arbiter again. */
export const confirmedEntries = 100_000
/** Keys. Beyond this, all keys up to the highest version count as dropped. */
export const missedDrops = 1_000
/** Bytes. From this size on, the size is a likely reason for a write that failed. */
export const largeValueBytes = 1_000_000
/** ms. A deadline noticed this much too late shows that this node was busy, not that the other side is slow. */
export const busyMillis = 10
/** ms. Timers that linger may be cancelled by the end of such a sleep; an idle larder has none after it. */
export const lingerMillis = 1_000

// ---- a lease alone ----------------------------------------------------------------------------

/** ms. A renewal takes a trip to a server, and there are several in each lease. */
export const leastLoneLeaseMillis = 100
/** Renewals. With an answer within a twelfth of the lease, a holder learns of its loss within a third of it. */
export const loneLeaseRenewals = 4
/** ms. Longer than a trip to a busy server; a renewal without an answer is sent again. */
export const longestLoneLeaseStepMillis = 1_000
/** ms. As long as a trip in a slow network. */
export const leastLoneLeaseStepMillis = 50

// ---- writes and missed changes ----------------------------------------------------------------

/** Keys. Each holds a value; with this many queued, the `set` of another key waits. */
export const queuedKeys = 1_000
/** Writes, and resting keys that are retried together. */
export const writesAtOnce = 16
/** ms, doubled after each failure. */
export const firstWriteRestMillis = 100
/** ms. A tier that is back gets its writes within a second. */
export const longestWriteRestMillis = 1_000
/** Attempts of one `set` with a revision, each lost to another change of the key. */
export const revisedSetAttempts = 12
/** Keys whose last change counts for `replicaLag`. Beyond it, every key counts as changed when the oldest was. */
export const changesRemembered = 10_000
/** Turns that one `update` may lose to other changes of its key. Callers of one node take turns by themselves. */
export const updateAttempts = 100
/** Keys that `removeWhere` removes at once: the answers of a server for all of them may come in one turn of the event loop. */
export const keysRemovedAtOnce = 16
/** Keys that `invalidateWhen` or `around` changes in parallel: few, so that other callers' steps are not delayed. */
export const keysInvalidatedAtOnce = 16
/** Tags. With more, a step may miss `tierTimeout`. */
export const tagsPerMark = 1_000
/** Keys. Bounds the memory of a long outage, and the replay after it. */
export const missedKeys = 1_000
/** Tags. As `missedKeys`. */
export const missedTags = 1_000
/** Keys. A replay ends when a whole group fails, so a smaller group notices a dead tier sooner. */
export const missedKeysAtOnce = 32
/** ms. One small trip a second while a tier is down. */
export const missedRetryMillis = 1_000
/** Keys. As `missedKeys`: with more, all entries of the node are suspect once the arbiter answers. */
export const keysLookedUpAlone = 1_000
/** ms. Shorter than the pauses of a larder that stays open, since `closeTimeout` is short. */
export const closingRetryMillis = 100
/** ms, the default of `closeTimeout`. Half of the 10 seconds after which `docker stop` kills. */
export const closeMillis = 5_000

/** ms, the default of a follower's `maxFreshFor`: short, since a follower cannot see that its owner is silent. */
export const followedMillis = 60_000

// ---- writing behind ---------------------------------------------------------------------------

/** Keys, the default of `maxPending`: as many as `memoryEntries`. */
export const outboxKeys = 10_000
/** Offers, and keys looked for, that share one trip to the store. More make the commit longer for all of them. */
export const offersAtOnce = 512
/** Writes, the default of `batch`: as many rows as a database takes well in one statement. */
export const writesPerBatch = 100
/** Writes of a failed batch that are tried alone, in parallel: few, since the source may be overloaded. */
export const singleWritesAtOnce = 8
/** Keys whose flushed values are stored in the cache anew, in parallel. */
export const recommitsAtOnce = 64
/** ms, doubled after each attempt: the default of `retry`. */
export const firstRetryMillis = 100
/** ms. As many attempts as a source that is down bears. */
export const longestRetryMillis = 30_000
/** Attempts, the default of `maxAttempts`: with the default `retry` an outage of ten minutes. */
export const writeAttempts = 30
/** ms, the default of `timeout`: as long as a lookup may take. */
export const writeMillis = 30_000
/** ms, the default of `lock`: as `leaseMillis`. */
export const outboxLockMillis = 10_000
/** ms. The rest of a flusher whose outbox does not answer. */
export const outboxRestMillis = 1_000
/** ms, doubled each time: how long a put waits for room in a full outbox before it asks again. */
export const firstRoomPauseMillis = 10
/** ms. Bounds how long such a put waits after there is room, where the flusher is in another process. */
export const longestRoomPauseMillis = 1_000
/** ms, doubled each time: how long `flush` waits before it looks at the depth again. */
export const firstFlushPauseMillis = 5
/** ms. Bounds how long `flush` goes on after the last write, where the flusher is in another process. */
export const longestFlushPauseMillis = 250
/** Characters of the reason that a dead letter keeps. */
export const deadReasonCharacters = 500
/** Dead letters in one answer of a store. */
export const deadPerPage = 100
/** ms, doubled after each look: how long a lookup waits for a write in flight, or for a removal. */
export const firstOverlayPauseMillis = 5
/** ms. Bounds how long such a lookup waits after the write has ended. */
export const longestOverlayPauseMillis = 250

// ---- messages of a backplane ------------------------------------------------------------------

/** Messages that wait to be sent. Beyond it one mark takes their place, and other nodes look all keys up. */
export const queuedMessages = 10_000
/** Messages. As many commands as a connection pipelines well. */
export const messagesSentAtOnce = 64
/** ms. A backplane that takes longer for one message counts as failed, and the message is sent again. */
export const publishMillis = 1_000
/** ms. One attempt a second while a backplane is down. */
export const publishPauseMillis = 1_000

// ---- changes from outside ---------------------------------------------------------------------

/** Characters of a malformed message in its event. A few lines of a log. */
export const malformedCharacters = 200

// ---- invalidation -----------------------------------------------------------------------------

/** Marks. Bounds memory; when some are forgotten, older entries lose their freshness. */
export const maxMarks = 100_000
/** ms: 7 days. Few entries are fresh for longer. */
export const markLifeMillis = 7 * 24 * 60 * 60 * 1_000
/** Marks. Beyond this during one flight, every tag counts as marked in between. */
export const marksPerFlight = 1_000
/** ms: a day. A number further ahead of this node's clock is damaged, not a time. */
export const clockAheadMillis = 24 * 60 * 60 * 1_000

// ---- the shared tier in memory ----------------------------------------------------------------

/** Entries of one larder, and as many leases. Ten times `memoryEntries`: the tier stands behind memory. */
export const sharedEntries = 100_000
/** Marks in one answer. Merging all at once would block the event loop. */
export const marksPerPage = 5_000
/** Records. More than the one that a write adds, so that the sweep keeps up. */
export const recordsSweptPerWrite = 4

// ---- observing --------------------------------------------------------------------------------

/** Events for each subscriber. A slow subscriber loses events rather than holds up callers. */
export const bufferedEvents = 4_096
/** ms. A shorter step says little in a trace, and there are many of them. */
export const slowStepMillis = 10
/** Hits from one sampled hit to the next, at most; 64 on average. */
export const longestHitStep = 127
/** ms: 30 seconds. Summaries of log lines and judgements of anomalies come at its end. */
export const windowMillis = 30_000
/** Callers of one lookup, the default of `stampedeCallers`: a few together are what coalescing is for. */
export const stampedeCallers = 10
/** ms. Further lookups of one key in this time have callers that one lookup should have answered. */
export const stampedeMillis = 5_000
/** Keys, the most recently looked-up ones, whose lookups are counted; and keys that have longer grace by `onStampede`. */
export const stampedeKeys = 1_000
/** Keys of a window that a detector may name as an example. */
export const sampledKeys = 3
/** Runs of `onStampede` of one larder, each for another key. */
export const hooksAtOnce = 16
/** The share of fresh hits that `audit` compares with upstream. Few: each is a lookup. */
export const auditedShare = 0.001
/** Audits. As many lookups more a second than without. */
export const auditsPerSecond = 1
/** Lines of one topic. Enough to see that a problem is not a single one. */
export const warningsAtOnce = 5
/** ms for one more line of a topic. */
export const warningRefillMillis = 1_000
/** Warnings for each name of a larder that is open twice. */
export const namesakeWarnings = 5
/** Names of larders for which the debug line of a memory alone is logged. Bounds what is remembered. */
export const namesTold = 1_000
/** Characters of a value in an error. One line of a terminal with the words around it. */
export const shownCharacters = 60
/** Demands of ended lookups that are used again. More lookups at once make new ones. */
export const pooledDemands = 64
