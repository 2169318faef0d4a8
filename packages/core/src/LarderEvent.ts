/**
 * The events of a larder, as one union: for logs, dashboards and tests. A larder without listeners
 * makes no events.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import type * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { Entry } from "./Entry.ts"
import type { EvictionCause, GapReason } from "./Tier.ts"

interface Base {
  /** The larder's name. */
  readonly larder: string
  /** Milliseconds since the Unix epoch, by the larder's clock. */
  readonly at: number
}

interface OfKey extends Base {
  /** The key as a string. */
  readonly key: string
}

/**
 * What the larder is made of. The first event of every subscription, also of one that begins later:
 * `at` is when the larder was made.
 *
 * @category events
 * @since 0.1.0
 */
export interface Opened extends Base {
  readonly _tag: "Opened"
  /** The tiers, nearest first. */
  readonly tiers: ReadonlyArray<string>
  /**
   * How nodes hear of each other's changes: the name of the arbiter's tier where it notifies, else of the
   * backplane; `"none"` where they do not.
   */
  readonly backplane: string
  /** The version of `@larder/core`. */
  readonly version: string
  /** Conditions of the stack that an operator should know, one sentence each. */
  readonly warnings: ReadonlyArray<string>
}
/**
 * Why memory could not answer a call.
 *
 * - `new`: the key was not requested lately, as far as memory remembers.
 * - `evicted`: the key was requested lately, and memory does not have it any more.
 * - `expired`: the freshness of the entry has ended, also of one that memory has dropped at the end of its
 *   life, or a newer value is on its way to memory.
 * - `marked`: `invalidateTags` or `clear` covers the entry.
 * - `suspect`: this node may have missed a change of the key.
 * - `demand`: the call did not accept the entry: `maxAge`, `stale: "never"`, `check`, `refresh`.
 *
 * @category models
 * @since 0.1.0
 */
export type MissCause = "new" | "evicted" | "expired" | "marked" | "suspect" | "demand"
/**
 * Why a call was answered with a stale value.
 *
 * @category models
 * @since 0.1.0
 */
export type StaleReason = "revalidating" | "failed" | "softTimeout" | "breakerOpen" | "shed"
/**
 * Why a call failed.
 *
 * - `failed`, `defect`, `timeout`, `breakerOpen`, `shed`: its lookup did.
 * - `remembered`: an earlier lookup did, and its failure is remembered (`failureFor`).
 * - `notReturned`: the bulk lookup answered without the key; in a follower, no tier has the key.
 * - `invalidKey`, `closed`: the larder refused the call.
 *
 * @category models
 * @since 0.1.0
 */
export type FailedReason =
  | "failed"
  | "defect"
  | "timeout"
  | "breakerOpen"
  | "shed"
  | "remembered"
  | "notReturned"
  | "invalidKey"
  | "closed"

/**
 * A call was answered at once with a fresh value of memory. Every call of `get`, `getWithMeta` and
 * `refresh`, every key of a `getMany` and every call of a function of `Larder.fn` ends in exactly one
 * of `Hit`, `Answered`, `StaleServed`, `Failed` and `Left`.
 *
 * @category events
 * @since 0.1.0
 */
export interface Hit extends OfKey {
  readonly _tag: "Hit"
  /** The name of the memory tier. */
  readonly tier: string
  /**
   * The number of hits that the event stands for, where the subscriber asked for a sample
   * (`hits: "sampled"`): all since the last sample, of whatever keys. Absent means 1.
   */
  readonly count?: number
}
/**
 * A call was answered with a fresh value after it had waited.
 *
 * @category events
 * @since 0.1.0
 */
export interface Answered extends OfKey {
  readonly _tag: "Answered"
  /** The name of the tier that had the value; `"upstream"` for a value that was looked up. */
  readonly tier: string
  /** The time since the call, ms. */
  readonly millis: number
}
/**
 * A call was answered with a stale value.
 *
 * @category events
 * @since 0.1.0
 */
export interface StaleServed extends OfKey {
  readonly _tag: "StaleServed"
  readonly reason: StaleReason
  /** The name of the tier that had the value. */
  readonly tier: string
  /** The time since upstream validated the value, ms. */
  readonly age: number
  /** The time since the call, ms; 0 for an answer at once. */
  readonly millis: number
}
/**
 * A call failed.
 *
 * @category events
 * @since 0.1.0
 */
export interface Failed extends OfKey {
  readonly _tag: "Failed"
  readonly reason: FailedReason
  /** The time since the call, ms; 0 for a failure at once. */
  readonly millis: number
}
/**
 * A call was interrupted before it had an answer.
 *
 * @category events
 * @since 0.1.0
 */
export interface Left extends OfKey {
  readonly _tag: "Left"
  /** The time since the call, ms. */
  readonly millis: number
}
/**
 * Memory could not answer a call, which waits for a farther tier or a lookup of its own. A call that
 * joins the lookup of another one has `Coalesced` instead.
 *
 * @category events
 * @since 0.1.0
 */
export interface Miss extends OfKey {
  readonly _tag: "Miss"
  readonly cause: MissCause
}
/**
 * A lookup reached upstream.
 *
 * @category events
 * @since 0.1.0
 */
export interface LookupStarted extends OfKey {
  readonly _tag: "LookupStarted"
  /** Whether no caller waits for the lookup. */
  readonly background: boolean
}
/**
 * A lookup returned a value, or validated the known one.
 *
 * @category events
 * @since 0.1.0
 */
export interface LookupSucceeded extends OfKey {
  readonly _tag: "LookupSucceeded"
  /** How long the lookup took, ms. */
  readonly millis: number
  /** Whether upstream answered `Upstream.notModified`. */
  readonly notModified: boolean
}
/**
 * A lookup failed with a typed failure or a defect.
 *
 * @category events
 * @since 0.1.0
 */
export interface LookupFailed extends OfKey {
  readonly _tag: "LookupFailed"
  /** How long the lookup took, ms. */
  readonly millis: number
  /** Whether the failure is a defect. */
  readonly defect: boolean
}
/**
 * A lookup took longer than `hardTimeout`.
 *
 * @category events
 * @since 0.1.0
 */
export interface LookupTimedOut extends OfKey {
  readonly _tag: "LookupTimedOut"
  /** How long the lookup ran until then, ms. */
  readonly millis: number
}
/**
 * A guard of upstream refused a lookup, which never reached upstream: the circuit was open, or
 * `withConcurrency` had no permit for it. It comes instead of `LookupStarted` and `LookupFailed`.
 *
 * @category events
 * @since 0.1.0
 */
export interface LookupRefused extends OfKey {
  readonly _tag: "LookupRefused"
  /** `shed` also where a lookup waited for a permit until its `hardTimeout`. */
  readonly reason: "breakerOpen" | "shed"
}
/**
 * Memory could not answer a call, which joined a lookup that was already running.
 *
 * @category events
 * @since 0.1.0
 */
export interface Coalesced extends OfKey {
  readonly _tag: "Coalesced"
  readonly cause: MissCause
}
/**
 * A value is still fresh, and its early refresh began.
 *
 * @category events
 * @since 0.1.0
 */
export interface EarlyRefresh extends OfKey {
  readonly _tag: "EarlyRefresh"
}
/**
 * The arbiter granted this node the right to look the key up.
 *
 * @category events
 * @since 0.1.0
 */
export interface LeaseWon extends OfKey {
  readonly _tag: "LeaseWon"
  /** The version that the commit will have. */
  readonly token: number
}
/**
 * Another node is looking the key up.
 *
 * @category events
 * @since 0.1.0
 */
export interface LeaseBusy extends OfKey {
  readonly _tag: "LeaseBusy"
  /** How long that node's lease lasts, ms. */
  readonly leftMillis: number
}
/**
 * The wait for another node's lookup is over. Comes only after a `LeaseBusy`.
 *
 * @category events
 * @since 0.1.0
 */
export interface LeaseWaited extends OfKey {
  readonly _tag: "LeaseWaited"
  /** The time since the first busy answer, ms. */
  readonly millis: number
}
/**
 * The lease passed to another node before the lookup ended.
 *
 * @category events
 * @since 0.1.0
 */
export interface LeaseLost extends OfKey {
  readonly _tag: "LeaseLost"
}
/**
 * The times of an entry: see `Entry`.
 *
 * @category models
 * @since 0.1.0
 */
export type Times = Pick<
  Entry<unknown>,
  "storedAt" | "freshUntil" | "revalidateUntil" | "staleUntil" | "loadMillis" | "asOf"
>

/**
 * A looked-up value is in memory. The arbiter has stored it, or did not answer, or there is no
 * arbiter.
 *
 * @category events
 * @since 0.1.0
 */
export interface Committed extends OfKey {
  readonly _tag: "Committed"
  /** The version of the value. */
  readonly version: number
  readonly times: Times
  /** The tags of the value. */
  readonly tags: ReadonlyArray<string>
  /** The tiers that have the value by now, nearest first. Tiers between memory and the arbiter get it later. */
  readonly tiers: ReadonlyArray<string>
}
/**
 * A change by a caller was acknowledged: `settled` as in its `Ack`. A `set` that was refused for a value
 * of a higher `revision` changes nothing and has no event. `invalidateWhen` has one for each key.
 *
 * @category events
 * @since 0.1.0
 */
export interface Changed extends Base {
  readonly _tag: "Changed"
  /** `tags`: `invalidateTags`. */
  readonly operation: "set" | "expire" | "remove" | "tags" | "clear"
  /** The key of `set`, `expire` and `remove` as a string. */
  readonly key?: string
  /** The tags of `invalidateTags`. */
  readonly tags?: ReadonlyArray<string>
  /** The place of the change in the order of changes of the key; for tags and `clear`, the number of the mark. */
  readonly version: number
  /** Whether the arbiter applied the change and all earlier ones of this node, and nearer tiers have it. */
  readonly settled: boolean
  /** The time since the call, ms. */
  readonly millis: number
}
/**
 * A looked-up value was not stored, because the key changed after the lookup began.
 *
 * @category events
 * @since 0.1.0
 */
export interface Superseded extends OfKey {
  readonly _tag: "Superseded"
}
/**
 * A step in a tier failed, took too long, or was refused by its open breaker.
 *
 * @category events
 * @since 0.1.0
 */
export interface TierFailed extends Base {
  readonly _tag: "TierFailed"
  readonly tier: string
  readonly operation: string
  readonly reason: "failed" | "timedOut" | "breakerOpen"
  readonly message: string
}
/**
 * A tier reports a condition that an operator should know. The log has it as well.
 *
 * @category events
 * @since 0.1.0
 */
export interface TierWarning extends Base {
  readonly _tag: "TierWarning"
  readonly tier: string
  readonly message: string
}
/**
 * The circuit breaker of a tier or of upstream changed its state.
 *
 * @category events
 * @since 0.1.0
 */
export interface BreakerChanged extends Base {
  readonly _tag: "BreakerChanged"
  readonly breaker: string
  readonly from: CircuitBreaker.State["_tag"]
  readonly to: CircuitBreaker.State["_tag"]
}
/**
 * Memory evicted an entry, or another tier with a bound reported an eviction.
 *
 * @category events
 * @since 0.1.0
 */
export interface Evicted extends OfKey {
  readonly _tag: "Evicted"
  readonly tier: string
  readonly cause: EvictionCause
}
/**
 * Bytes in a tier could not be read as an entry. They count as a miss.
 *
 * @category events
 * @since 0.1.0
 */
export interface Undecodable extends OfKey {
  readonly _tag: "Undecodable"
  readonly tier: string
  readonly reason: string
}
/**
 * The changes that a tier missed while it was away have reached it.
 *
 * @category events
 * @since 0.1.0
 */
export interface Recovered extends Base {
  readonly _tag: "Recovered"
  readonly tier: string
  /** The number of changes. */
  readonly changes: number
}
/**
 * This node may have missed messages of other nodes. Until the arbiter has confirmed them, its
 * entries from before are served only if upstream fails.
 *
 * @category events
 * @since 0.1.0
 */
export interface GapDetected extends Base {
  readonly _tag: "GapDetected"
  readonly reason: GapReason
  /** The server of the tier whose messages are missing; undefined for all. */
  readonly part: string | undefined
}
/**
 * A message about changes that came from outside, for `Invalidations.from`, could not be used. Where it
 * names this larder, everything of the larder counts as changed, and `reason` says so; else nothing
 * changes.
 *
 * @category events
 * @since 0.1.0
 */
export interface MessageIgnored extends Base {
  readonly _tag: "MessageIgnored"
  /** Why. */
  readonly reason: string
  /** The message, or its beginning. */
  readonly text: string
}
/**
 * Many callers wanted one key at once: a lookup has answered more than `stampedeCallers` of them, or more
 * than one lookup of the key has reached upstream within 5 seconds while callers waited.
 *
 * @category events
 * @since 0.1.0
 */
export interface StampedeDetected extends OfKey {
  readonly _tag: "StampedeDetected"
  /** The callers that the last lookup has answered, or that wait for it. */
  readonly callers: number
  /** The lookups of the key that have reached upstream, with callers waiting, within the last 5 seconds. */
  readonly lookups: number
}
/**
 * The kinds of anomalies.
 *
 * @category models
 * @since 0.1.0
 */
export type AnomalyKind =
  | "keyPollution"
  | "ttlTooShort"
  | "stampede"
  | "coldStart"
  | "earlyRefreshOverload"
/**
 * A detector has raised an anomaly, or cleared it.
 *
 * @category events
 * @since 0.1.0
 */
export interface AnomalyChanged extends Base {
  readonly _tag: "AnomalyChanged"
  readonly kind: AnomalyKind
  /** `true`: raised; `false`: cleared. */
  readonly raised: boolean
  /** The figures that led to it, by their names. */
  readonly figures: Readonly<Record<string, number>>
  /** What to do about it. */
  readonly advice: string
}
/**
 * The result of one audit.
 *
 * - `same`: memory has upstream's value.
 * - `differs`: it has not, and the entry is looked up again.
 * - `failed`: the lookup failed or timed out, or the comparison did.
 * - `skipped`: nothing was compared. A breaker was open, no background permit was free, upstream answered
 *   with a lower `revision`, or the key changed meanwhile.
 *
 * @category models
 * @since 0.1.0
 */
export type AuditResult = "same" | "differs" | "failed" | "skipped"
/**
 * A fresh hit was compared with upstream: see the option `audit`.
 *
 * @category events
 * @since 0.1.0
 */
export interface Audited extends OfKey {
  readonly _tag: "Audited"
  readonly result: AuditResult
  /** The age of the value that the caller got, ms. */
  readonly age: number
}
/**
 * A flusher of `WriteBehind` has written a batch to the source, and the outbox has forgotten it.
 *
 * @category events
 * @since 0.1.0
 */
export interface WritesFlushed extends Base {
  readonly _tag: "WritesFlushed"
  /** The number of writes. */
  readonly count: number
}
/**
 * A write is a dead letter: it has failed at its last attempt, the source will not have it, and the cached
 * value is removed. It stays in the outbox until it is revived, discarded or replaced by a newer write.
 *
 * @category events
 * @since 0.1.0
 */
export interface WriteDead extends OfKey {
  readonly _tag: "WriteDead"
  /** The version of the write. */
  readonly version: number
  /** The number of attempts. */
  readonly attempts: number
  /** The failure of the last attempt. */
  readonly why: string
}
/**
 * The oldest write of the outbox is older than `maxLag`. Comes once until none is.
 *
 * @category events
 * @since 0.1.0
 */
export interface WriteLagging extends Base {
  readonly _tag: "WriteLagging"
  /** The age of the oldest write, ms. */
  readonly oldestMillis: number
  /** The number of keys with a write that waits. */
  readonly waiting: number
  /** The number of keys with a write that is being written, or rests after a failure. */
  readonly inFlight: number
}
/**
 * This subscriber was too slow and lost events.
 *
 * @category events
 * @since 0.1.0
 */
export interface Dropped extends Base {
  readonly _tag: "Dropped"
  /** The number of events lost. */
  readonly count: number
}

/**
 * Every event of a larder, distinguished by `_tag`: `larder.events` and `larder.subscribe` deliver
 * them.
 *
 * @category events
 * @since 0.1.0
 */
export type LarderEvent =
  | Opened
  | Hit
  | Answered
  | StaleServed
  | Failed
  | Left
  | Miss
  | LookupStarted
  | LookupSucceeded
  | LookupFailed
  | LookupTimedOut
  | LookupRefused
  | Coalesced
  | EarlyRefresh
  | LeaseWon
  | LeaseBusy
  | LeaseWaited
  | LeaseLost
  | Committed
  | Changed
  | Superseded
  | TierFailed
  | TierWarning
  | BreakerChanged
  | Evicted
  | Undecodable
  | Recovered
  | GapDetected
  | MessageIgnored
  | StampedeDetected
  | AnomalyChanged
  | Audited
  | WritesFlushed
  | WriteDead
  | WriteLagging
  | Dropped
