/**
 * The tables of docs/limits.md: each bound of the packages with its value, what happens beyond it
 * and the option that changes it. The values are those of the modules. Run it with
 * `node docs/scripts/limits-table.ts` after a change of a bound.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Policy } from "@larder/core"
import * as core from "../../packages/core/src/internal/runtime/limits.ts"
import * as redis from "../../packages/redis/src/internal/limits.ts"
import * as sql from "../../packages/sql/src/internal/limits.ts"
import * as sqlite from "../../packages/sqlite/src/internal/limits.ts"

const page = fileURLToPath(new URL("../limits.md", import.meta.url))
const begin = "<!-- limits: made by docs/scripts/limits-table.ts -->"
const end = "<!-- end of limits -->"

export type Limits = Readonly<Record<string, number>>

/** The bounds that the page must show, by package. */
export const modules: Readonly<Record<"core" | "redis" | "sql" | "sqlite", Limits>> = {
  core,
  redis,
  sql,
  sqlite,
}

type Row = readonly [
  constant: string,
  /** In plain words. */
  what: string,
  /** What happens beyond it. */
  beyond: string,
  option?: string,
]

export interface Section {
  readonly title: string
  readonly of: Limits
  readonly rows: ReadonlyArray<Row>
}

const { hardTimeout, retryAfterFailure, tierBudget, tierTimeout } = Policy.make({ freshFor: 1 })

/** The times of a policy that have a default; a larder has no others. */
const policy: Limits = {
  hardTimeoutMillis: hardTimeout,
  retryAfterFailureMillis: retryAfterFailure,
  tierBudgetMillis: tierBudget,
  tierTimeoutMillis: tierTimeout,
}

const tierOption = (name: string): string => `\`${name}\` of the tier`
const client = (name: string): string => `\`RedisClient.layer\`: \`${name}\``
const file = (name: string): string => `\`SqliteTier.layer\`: \`${name}\``
const feed = (name: string): string => `\`ChangeTable.stream\`: \`${name}\``
const circuit = (name: string): string => `\`withCircuitBreaker\`: \`${name}\``
const ofPolicy = (name: string): string => `\`Policy.make\`: \`${name}\``

export const sections: ReadonlyArray<Section> = [
  {
    title: "Times of a call",
    of: policy,
    rows: [
      [
        "tierTimeoutMillis",
        "one step in a tier",
        "the step fails; the read continues with the next tier or upstream",
        ofPolicy("tierTimeout"),
      ],
      [
        "tierBudgetMillis",
        "all steps in tiers of one read",
        "the remaining tiers are skipped",
        ofPolicy("tierBudget"),
      ],
      [
        "hardTimeoutMillis",
        "one lookup",
        "callers get the stale value or `LookupTimeout`; the key is free for another lookup",
        ofPolicy("hardTimeout"),
      ],
      [
        "retryAfterFailureMillis",
        "pause after a failed refresh",
        "the next read may look up again",
        ofPolicy("retryAfterFailure"),
      ],
    ],
  },
  {
    title: "Tiers: what an operator may change",
    of: core,
    rows: [
      [
        "leaseMillis",
        "a lease",
        "the lookup's node renews it after each third; the lease of a dead node passes on",
        tierOption("leaseTime"),
      ],
      [
        "leaseMillis",
        "wait for another node's lookup",
        "the waiting node takes the lease over and looks up itself",
        `${tierOption("leaseWait")}; by default its \`leaseTime\``,
      ],
      [
        "markMaxAgeMillis",
        "age of the known invalidations of other nodes when a tier is read",
        "they are read together with the entry",
        tierOption("markMaxAge"),
      ],
      [
        "heartbeatMillis",
        "between two checks that messages reach this node",
        "after three without an answer, entries in memory are served only if upstream fails, until they are confirmed",
        tierOption("heartbeat"),
      ],
      [
        "settleMillis",
        "delay of a result or of a background `set`",
        "the arbiter does not store the value; a background `set` becomes a removal. Tombstones live twice as long",
        tierOption("settleTime"),
      ],
      [
        "breakerFailures",
        "failures in a row of a tier",
        "its breaker opens",
        tierOption("breaker.failures"),
      ],
      [
        "breakerOpenMillis",
        "a tier's breaker is open",
        "one step probes the tier",
        tierOption("breaker.openFor"),
      ],
    ],
  },
  {
    title: "Upstream's circuit breaker",
    of: core,
    rows: [
      ["circuitFailures", "failures in a row", "the circuit opens", circuit("tripPolicy")],
      [
        "circuitOpenMillis",
        "the circuit is open",
        "the next lookup probes upstream",
        circuit("openDuration"),
      ],
      [
        "circuitProbeMillis",
        "pause between probes while callers wait",
        "the next probe runs",
        circuit("probeEvery"),
      ],
      [
        "circuitQueue",
        "lookups that wait for a probe",
        "further ones get the circuit's error",
        circuit("probeQueue"),
      ],
      [
        "circuitRetryMillis",
        "wait for a probe that gave no notice of its end",
        "another probe may run",
      ],
    ],
  },
  {
    title: "Memory",
    of: core,
    rows: [
      [
        "memoryEntries",
        "entries in memory, per larder",
        "the least useful entry is evicted",
        "`MemoryTier.layer`: `maxEntries`, `maxWeight`",
      ],
      [
        "entriesEvictedPerTurn",
        "entries evicted in one turn of the event loop by `resizeMemory`",
        "the rest follows in later turns",
      ],
      [
        "endedKeys",
        "keys, per larder, whose life has ended and whose next miss counts as `expired`",
        "the next miss of the oldest counts as `new` or `evicted`",
      ],
      [
        "rememberedFailures",
        "keys whose failure is remembered",
        "the oldest failure is forgotten: one more lookup",
      ],
      [
        "keysPerSweep",
        "keys that a scheduled early refresh looks at",
        "keys read less recently wait for a read",
      ],
      [
        "sweepSchedules",
        "different schedules of early refreshes",
        "a warning; further ones use the first",
      ],
      ["pooledDemands", "ended lookups' records kept for use again", "a record is made anew"],
    ],
  },
  {
    title: "Keys, and calls for many keys",
    of: core,
    rows: [
      ["keyBytes", "length of a key in UTF-8", "`InvalidKey`"],
      [
        "keysSoughtPerTurn",
        "keys of a `getMany` sought in memory in one turn of the event loop",
        "the rest follows in later turns",
      ],
      [
        "keysPerSlice",
        "keys of a `getMany` that share a trip to each tier and a bulk lookup",
        "the rest is in further slices",
      ],
      ["slicesAtOnce", "slices of a `getMany` at once", "further slices wait"],
      [
        "keysPerTierSlice",
        "as `keysPerSlice`, of a `getMany` of more keys through tiers; also keys of `get`s that share a trip",
        "the rest is in further slices, or trips",
      ],
      [
        "keysOfFirstTierSlice",
        "keys of the first of these slices",
        "the next slices are each twice as large, up to `keysPerTierSlice`",
      ],
      ["tierSlicesAtOnce", "as `slicesAtOnce`, through tiers", "further slices wait"],
      [
        "keysPerPiece",
        "keys that other work on many keys takes in one turn",
        "the rest follows in later turns",
      ],
      [
        "fewKeys",
        "keys of work that waits for no turn, however busy the event loop is",
        "work on up to `keysPerPiece` waits for the next turn at most; work on more queues",
      ],
      [
        "pieceMillis",
        "time that such work, or timers that are due, take in one turn",
        "the rest follows in later turns",
      ],
    ],
  },
  {
    title: "Changes from outside",
    of: core,
    rows: [
      [
        "malformedCharacters",
        "characters of a malformed message in its event",
        "the rest is left out",
      ],
    ],
  },
  {
    title: "A lease alone",
    of: core,
    rows: [
      [
        "leastLoneLeaseMillis",
        "least time of a lease alone",
        "`InvalidOptions`",
        "`Lease.withLease`: `lease`",
      ],
      [
        "loneLeaseRenewals",
        "renewals in the time of one lease",
        "the holder learns with the next one that it lost the lease",
      ],
      [
        "longestLoneLeaseStepMillis",
        "one request for such a lease: a third of its time, but no longer than this",
        "it is sent again: until `wait` is over, or the lease's time",
      ],
      ["leastLoneLeaseStepMillis", "the same for a short lease", "the same"],
    ],
  },
  {
    title: "Steps in tiers",
    of: core,
    rows: [
      ["firstLeasePauseMillis", "first pause before a lease is asked for again", "it doubles"],
      ["longestLeasePauseMillis", "longest such pause", "it does not grow further"],
      [
        "leasePauseJitter",
        "share by which chance shortens such a pause",
        "nodes that wait for one lookup ask at different times",
      ],
      [
        "leaseRequestsUnanswered",
        "unanswered requests in a row while another node has the lease",
        "the waiting node looks the key up itself",
      ],
      [
        "leasesAskedAtOnce",
        "requests for leases at once, where the arbiter takes one key at a time",
        "further ones wait; the last may be looked up without a lease",
      ],
      [
        "headerReadsPerSecond",
        "versions that a larder reads in one second, to confirm entries after a gap; those of checked reads do not count",
        "further ones wait for their turn, for as long as for a lease; then their values are read",
      ],
      ["headerReadsAtOnce", "of these, versions without a pause in between", "further ones wait"],
      ["keysPerHeaderRequest", "versions in one request", "the rest is in the next one"],
      ["headerRequestsAtOnce", "such requests to one server at once", "further ones wait"],
      [
        "keysConfirmedAfterGap",
        "keys that are confirmed after a gap before callers ask for them",
        "the other entries are confirmed when a caller asks for them",
      ],
      [
        "confirmingJitterMillis",
        "random pause before that",
        "nodes that lost the same server do not ask it all at once",
      ],
      ["keysPerCommit", "keys in one commit", "the rest is in the next one"],
      ["bytesPerCommit", "values in one commit", "the rest is in the next one"],
      [
        "waitingCommits",
        "results that wait for their commit",
        "the next slice of a `getMany` waits",
      ],
      ["valuesDecodedAtOnce", "values decoded at once", "further ones wait"],
      [
        "serversPerTier",
        "servers of a tier whose failures are counted",
        "the oldest is forgotten and counts as healthy",
      ],
      [
        "probePauseMillis",
        "pause between probes of a tier that is connected again",
        "the next probe runs",
      ],
      ["probesAfterReconnect", "such probes", "the breaker's own probe decides"],
      [
        "heartbeatsOfSilence",
        "heartbeats that do not arrive",
        "a gap begins: entries from before are served only if upstream fails, until they are confirmed",
      ],
      [
        "listenPauseMillis",
        "between two attempts to subscribe, where the tier has given up its subscription",
        "the next attempt; meanwhile the node hears of no change",
      ],
      [
        "queuedMessages",
        "messages of a node that a backplane has not taken yet",
        "one mark of everything takes their place, and other nodes look all keys up",
      ],
      ["messagesSentAtOnce", "messages on the way to a backplane at once", "the others wait"],
      ["publishMillis", "one message on its way to a backplane", "the message is sent again"],
      [
        "publishPauseMillis",
        "pause after a message could not be sent",
        "the message is sent again",
      ],
      [
        "setForwardMillis",
        "how far this node's clock may be set forward until it asks the tier for its time",
        "the next read asks for marks as well, which tell the time",
      ],
      [
        "versionsAheadMillis",
        "how far a version in a tier without an arbiter may be ahead of the clock",
        "the entry counts as one of a wrong clock, and is replaced",
      ],
      [
        "confirmedEntries",
        "entries of a tier in front of the arbiter that count as confirmed",
        "the oldest must be confirmed again before it is fresh",
      ],
      [
        "missedDrops",
        "keys whose removal a tier in front of the arbiter missed",
        "all its entries up to the newest of those removals count as removed",
      ],
      ["largeValueBytes", "size of a value whose write failed", "a warning names the size"],
      [
        "busyMillis",
        "how late a deadline is noticed",
        "the node was busy: the deadline is put off once",
      ],
      ["lingerMillis", "sleep of the timer behind deadlines", "it ends when no deadline is left"],
    ],
  },
  {
    title: "Writes, missed changes, closing",
    of: core,
    rows: [
      ["queuedKeys", "keys that wait for a background write", "`set` of another key waits"],
      ["writesAtOnce", "background writes at once", "further ones wait"],
      [
        "firstWriteRestMillis",
        "first pause after a failed background write; the only one while closing",
        "it doubles",
      ],
      ["longestWriteRestMillis", "longest such pause", "it does not grow further"],
      [
        "revisedSetAttempts",
        "attempts of a `set` with a revision, each overtaken by another change",
        "the change is not settled, and counts as missed",
      ],
      [
        "changesRemembered",
        "keys whose last change counts for `replicaLag`",
        "every key counts as changed when the oldest of them was",
      ],
      [
        "updateAttempts",
        "turns that one `update` may lose to other changes, by default",
        "it fails with `Contended`",
      ],
      [
        "keysRemovedAtOnce",
        "keys that `removeWhere` removes at once",
        "the rest is removed after them",
      ],
      [
        "keysInvalidatedAtOnce",
        "keys that `invalidateWhen` or `around` changes at once",
        "further ones wait",
      ],
      ["tagsPerMark", "tags set with one mark", "the rest is set with further marks"],
      [
        "missedKeys",
        "changed keys that the arbiter missed",
        "they become one mark that covers everything",
      ],
      [
        "missedTags",
        "invalidated tags that the arbiter missed",
        "they become one mark that covers everything",
      ],
      [
        "keysLookedUpAlone",
        "keys looked up while the arbiter did not answer",
        "once it answers, all entries of the node are suspect until they are confirmed",
      ],
      ["missedKeysAtOnce", "missed changes sent at once", "further ones wait"],
      ["missedRetryMillis", "pause between attempts to send them", "the next attempt begins"],
      ["closingRetryMillis", "the same pause while a larder closes", "the next attempt begins"],
      [
        "closeMillis",
        "closing a larder",
        "a warning names what is left; the scope closes",
        "`Larder.make`: `closeTimeout`",
      ],
      [
        "followedMillis",
        "a value in a follower's memory is fresh since the shared tier gave it",
        "the follower reads the shared tier",
        "`Larder.follower`: `maxFreshFor`",
      ],
    ],
  },
  {
    title: "Writing behind",
    of: core,
    rows: [
      [
        "outboxKeys",
        "keys in an outbox: waiting, in flight, dead",
        "a put of another key waits, or fails with `OutboxFull`",
        "`Outbox.Service`: `maxPending`",
      ],
      ["offersAtOnce", "offers, and keys looked for, in one trip to the store", "several trips"],
      [
        "writesPerBatch",
        "writes of one `writeMany`",
        "the others are in the next batch",
        "`WriteBehind.Service`: `batch`",
      ],
      [
        "singleWritesAtOnce",
        "writes of a failed batch that are tried alone, in parallel",
        "the others wait for them",
      ],
      [
        "recommitsAtOnce",
        "flushed values that are stored in the cache anew, in parallel",
        "the others wait for them",
      ],
      [
        "firstRetryMillis",
        "rest of a write after its first failure, doubled after each",
        "the write is tried again",
        "`WriteBehind.Service`: `retry`",
      ],
      [
        "longestRetryMillis",
        "its longest rest",
        "the write is tried again",
        "`WriteBehind.Service`: `retry`",
      ],
      [
        "writeAttempts",
        "attempts of one write",
        "it is a dead letter",
        "`WriteBehind.Service`: `maxAttempts`",
      ],
      [
        "writeMillis",
        "one `writeMany`",
        "the attempt counts as failed",
        "`WriteBehind.Service`: `timeout`",
      ],
      [
        "outboxLockMillis",
        "claim of a flusher that died",
        "another flusher takes its writes",
        "`WriteBehind.Service`: `lock`",
      ],
      ["outboxRestMillis", "rest of a flusher whose outbox does not answer", "it asks again"],
      [
        "firstRoomPauseMillis",
        "wait of a put for room in a full outbox, doubled each time",
        "it tries again",
      ],
      ["longestRoomPauseMillis", "the longest such wait", "it tries again"],
      [
        "firstFlushPauseMillis",
        "pause of `flush` between two looks at the depth, doubled each time",
        "it notices the end that much later",
      ],
      ["longestFlushPauseMillis", "the longest such pause", "it notices the end that much later"],
      ["deadReasonCharacters", "characters of the reason that a dead letter keeps", "it is cut"],
      ["deadPerPage", "dead letters in one answer of a store", "several trips"],
      [
        "firstOverlayPauseMillis",
        "pause of a lookup that waits for a write in flight or a removal, doubled after each look",
        "the lookup notices that much later",
      ],
      ["longestOverlayPauseMillis", "its longest pause", "the same"],
    ],
  },
  {
    title: "Invalidations",
    of: core,
    rows: [
      [
        "maxMarks",
        "marks that a node, or the shared tier in memory, keeps",
        "the oldest are forgotten: older entries lose their freshness",
      ],
      ["markLifeMillis", "how long it keeps them", "the same"],
      [
        "marksPerFlight",
        "marks set while one lookup runs",
        "every tag counts as invalidated meanwhile",
      ],
      [
        "clockAheadMillis",
        "how far the place of an entry among the marks may be ahead of the clock",
        "it counts as damaged: later marks need not be above it",
      ],
    ],
  },
  {
    title: "The shared tier in memory",
    of: core,
    rows: [
      ["sharedEntries", "entries per larder, and leases", "the oldest write is evicted"],
      ["marksPerPage", "marks in one answer", "the rest is in further answers"],
      ["recordsSweptPerWrite", "records that a write examines for expiry", "the rest waits"],
    ],
  },
  {
    title: "Events and log lines",
    of: core,
    rows: [
      [
        "bufferedEvents",
        "events buffered for a subscriber",
        "further ones are dropped; `Dropped` counts them",
      ],
      [
        "slowStepMillis",
        "a step in a tier, or a wait for a lease, that is no event of the caller's span",
        "the span has an event",
      ],
      [
        "longestHitStep",
        'hits from one sampled hit to the next: for `subscribeTo({ hits: "sampled" })`, and for ages',
        "64 on average; a sample stands for all hits since the last one",
      ],
      [
        "windowMillis",
        "a window of `LogEvents` and of detectors",
        "a key has one line about its stampede; every other window ends with the number of stale answers",
      ],
      [
        "stampedeCallers",
        "callers of one lookup",
        "the event `StampedeDetected`",
        "`Larder.make`: `stampedeCallers`",
      ],
      [
        "stampedeMillis",
        "between two lookups of one key with callers waiting",
        "later ones begin anew; earlier ones are a stampede",
      ],
      [
        "stampedeKeys",
        "keys whose lookups are counted for that, and keys with longer grace by `onStampede`",
        "the oldest are forgotten",
      ],
      [
        "sampledKeys",
        "missed keys of a window that an advice may name",
        "further ones are not named",
      ],
      ["hooksAtOnce", "runs of `onStampede` at once", "it does not run for further keys"],
      [
        "auditedShare",
        "share of the hits that `audit` compares with upstream",
        "more find a lost invalidation sooner, and cost lookups",
        "`Larder.make`: `audit.share`",
      ],
      [
        "auditsPerSecond",
        "audits in a second",
        "further ones are left out",
        "`Larder.make`: `audit.perSecond`",
      ],
      ["warningsAtOnce", "lines of one topic or message at once", "further ones are counted"],
      ["warningRefillMillis", "time for one more", "the next line names their count"],
      ["namesakeWarnings", "warnings of a name that two larders have", "no further warnings"],
      ["namesTold", "names told of in debug lines of larders in memory alone", "no further lines"],
      ["shownCharacters", "characters of a value in an error", "the rest is cut"],
    ],
  },
  {
    title: "Redis: the client",
    of: redis,
    rows: [
      ["commandMillis", "one command", "it fails", client("commandTimeout")],
      ["connectMillis", "one attempt to connect", "it fails", client("connectTimeout")],
      [
        "firstReconnectMillis",
        "first pause before the client connects again",
        "it doubles",
        client("reconnect.base"),
      ],
      [
        "longestReconnectMillis",
        "longest such pause",
        "it does not grow further",
        client("reconnect.max"),
      ],
      [
        "heartbeatMillis",
        "silence of an idle connection",
        "the client sends a PING",
        client("heartbeat"),
      ],
      ["goodbyeMillis", "QUIT when a connection closes", "the socket is destroyed"],
      ["closingMillis", "closing the client", "the scope closes"],
      ["keepAliveMillis", "silence of a socket", "TCP probes it"],
      [
        "slotPauseMillis",
        "pause when a slot of a Cluster is down or moves",
        "the command is sent again",
      ],
      ["redirections", "servers of a Cluster that a command is sent on to", "it fails"],
      [
        "waitingEvents",
        "messages that wait for a slow subscriber",
        "further ones are dropped, and it is told so",
      ],
      [
        "beatsPerLook",
        "heartbeats between two looks at the masters of a Cluster",
        "the client asks for them",
      ],
      ["subscribeMillis", "wait for a subscription", "`listen` fails, and the larder tries again"],
      ["briefOutageMillis", "outage without a log line", "a warning"],
      ["briefOutages", "such outages", "one warning for all"],
      ["linesAtOnce", "log lines at once", "further ones are counted"],
      ["lineRefillMillis", "time for one more", "the next line names their count"],
    ],
  },
  {
    title: "Redis: the tier",
    of: redis,
    rows: [
      ["firstCheckMillis", "first pause of the check at startup", "it doubles"],
      ["longestCheckMillis", "longest such pause", "it does not grow further"],
      [
        "assumedStepMillis",
        "deadline of a change whose sender gives none (a larder always does)",
        "the change is late",
      ],
      [
        "marginMillis",
        "how much earlier than its step a request fails",
        "the larder gets the cause of the failure",
      ],
      ["lateMillis", "how late a change may arrive after its deadline", "Redis refuses it"],
      ["keysPerRead", "keys in one MGET", "the rest is in further ones"],
      [
        "namesPerScan",
        "names in one step of `keys` and `removeAll`",
        "the rest is in further steps",
      ],
      [
        "maxMarks",
        "marks per larder",
        "the oldest are forgotten: older entries lose their freshness",
      ],
      ["markLifeMillis", "how long they are kept", "the same"],
      ["marksPerPage", "marks in one answer", "the rest is in further answers"],
      [
        "marksTrimmedPerMark",
        "old marks that a new one removes, or twice as many as it sets",
        "the rest goes with later ones",
      ],
    ],
  },
  {
    title: "Redis: outboxes",
    of: redis,
    rows: [
      [
        "outboxPollMillis",
        "pause between two looks of a flusher, where the server refuses its channel",
        "writes of other processes are noticed that much later",
      ],
    ],
  },
  {
    title: "SQL: outboxes",
    of: sql,
    rows: [
      [
        "countedRows",
        "waiting keys that an offer counts, to tell the flusher of a full batch",
        "the flusher hears of so many",
      ],
    ],
  },
  {
    title: "SQLite",
    of: sqlite,
    rows: [
      ["maxEntries", "entries of all larders", "the oldest write is evicted", file("maxEntries")],
      [
        "maxBytes",
        "keys and envelopes of all larders",
        "the oldest write is evicted",
        file("maxBytes"),
      ],
      [
        "busyTimeoutMillis",
        "wait for other writing processes",
        "the operation fails",
        file("busyTimeout"),
      ],
      [
        "keysPerPage",
        "rows that `removeWhere` reads in one step",
        "the rest is read in further steps",
      ],
      ["busyPauseMillis", "pause between two attempts meanwhile", "the next attempt begins"],
      [
        "clientBusyTimeoutMillis",
        "wait of the SQL client for another connection that writes",
        "the statement fails with `LockTimeoutError`",
        "`NodeSqliteClient.layer`: `busyTimeout`",
      ],
      [
        "longestBusyPauseMillis",
        "longest pause between two of its attempts",
        "it does not grow further",
      ],
      [
        "preparedStatements",
        "prepared statements that the SQL client keeps",
        "the one used longest ago is prepared again at its next use",
        "`NodeSqliteClient.layer`: `prepareCacheSize`",
      ],
      ["rowsPerChunk", "rows of a stream that it reads together", "other work runs first"],
      ["rowBytes", "size of a value", "it is refused"],
      [
        "fileCheckMillis",
        "time between two looks at the file, and between attempts to open it",
        "the next look or attempt",
      ],
      [
        "topicQuietMillis",
        "time without a second warning of a topic",
        "the next warning is logged",
      ],
      ["textQuietMillis", "the same for a warning of the same text", "the next warning is logged"],
      ["sweptPerWrite", "expired rows that a write removes", "the rest goes with later writes"],
      ["evictedPerWrite", "rows that a write evicts", "the rest goes with later writes"],
      ["evictedAtOnce", "rows read at once for that", "the rest is read after them"],
      [
        "maxMarks",
        "marks per larder",
        "the oldest are forgotten: older entries lose their freshness",
      ],
      ["markLifeMillis", "how long they are kept", "the same"],
      ["marksTrimmedPerCall", "old marks that a call removes", "the rest goes with later ones"],
      ["marksPerPage", "marks in one answer", "the rest is in further answers"],
      ["changesPerLook", "changes between two looks at the disk's room", "the tier looks again"],
      ["bytesPerLook", "bytes of changes between them", "the tier looks again"],
      [
        "slackBytes",
        "room that the disk must have beside a change",
        "with less it is full: the tier evicts",
      ],
      ["logBytes", "the log's share of a disk that is nearly full", "it is moved into the file"],
      ["plentyBytes", "free room on the disk", "the file has no limit"],
      ["mostLogPages", "pages of the log", "they are moved into the file"],
      ["logFileBytes", "size of the log's file once it is empty", "it is cut"],
      ["reserveBytes", "the reserve for invalidations on a full disk", "the file is begun anew"],
      ["reserveNeedsBytes", "free room on the disk for a reserve", "with less there is none"],
      ["firstEvictedBytes", "bytes evicted first on a full disk", "each attempt doubles them"],
      ["consideredAtOnce", "oldest rows from which it evicts those not read", "younger ones stay"],
    ],
  },
  {
    title: "Change tables",
    of: sql,
    rows: [
      [
        "keysPerChange",
        "keys, or tags, of one statement of Postgres",
        "the change says that everything has changed",
        "`ChangeTable.ddl`: `maxKeys`",
      ],
      ["changesPerRead", "changes read together", "the rest is read after them"],
      ["pollMillis", "between two looks", "the next look", feed("pollInterval")],
      [
        "pollBesideWakeUpsMillis",
        "the same where the database wakes the reader",
        "the next look",
        feed("pollInterval"),
      ],
      [
        "firstPendingMillis",
        "first pause while a change waits for an older transaction",
        "it doubles",
      ],
      ["longestPendingMillis", "longest such pause", "it does not grow further"],
      ["firstRetryMillis", "first pause while the database is away", "it doubles"],
      ["longestRetryMillis", "longest pause while it is away", "it does not grow further"],
      [
        "retentionMillis",
        "age of a change",
        "it is deleted; a reader that lacks it gets a gap",
        feed("retention"),
      ],
      ["pruneMillis", "between two looks for such changes", "the next look"],
      ["changesPerPrune", "changes deleted together", "the rest goes after them"],
    ],
  },
]

const grouped = new Intl.NumberFormat("en-US")

/** A unit: its size, its name, and the least of it that is shown in it. */
type Unit = readonly [size: number, name: string, least?: number]

const times: ReadonlyArray<Unit> = [
  [24 * 3_600_000, "days"],
  [3_600_000, "hours"],
  [60_000, "minutes", 2],
  [1_000, "s"],
  [1, "ms"],
]

const sizes: ReadonlyArray<Unit> = [
  [1024 ** 2, "MiB"],
  [1_000_000, "MB"],
  [1024, "KiB", 2],
  [1, "bytes"],
]

/** A number with the largest unit in which it is whole. */
const inUnits = (value: number, units: ReadonlyArray<Unit>): string => {
  const fits = ([size, , least = 1]: Unit) => value >= least * size && value % size === 0
  const [size, name] = units.find(fits)!
  const count = value / size
  const singular = count === 1 && (name === "days" || name === "hours")
  return `${grouped.format(count)} ${singular ? name.slice(0, -1) : name}`
}

/** The value as the page shows it, in the unit that the end of its name says. */
export const shown = (constant: string, value: number): string => {
  if (constant.endsWith("Millis")) return inUnits(value, times)
  if (constant.endsWith("Bytes") || constant.startsWith("bytesPer")) return inUnits(value, sizes)
  return grouped.format(value)
}

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const table = ({ of, rows, title }: Section): string =>
  [
    `## ${title}\n`,
    row(["what", "at most", "beyond it", "option"]),
    row(["---", "---", "---", "---"]),
    ...rows.map(([constant, what, beyond, option = ""]) => {
      const value = of[constant]
      if (value === undefined) throw new Error(`there is no bound ${constant}`)
      return row([what, shown(constant, value), beyond, option])
    }),
  ].join("\n")

/** The tables in Markdown. */
export const tables: string = sections.map(table).join("\n\n")

/** The page with these tables in the place of its own. */
export const withTables = (text: string): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the tables: ${begin}`)
  return `${text.slice(0, from)}${begin}\n\n${tables}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withTables(readFileSync(page, "utf8")))
}
