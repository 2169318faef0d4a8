/**
 * The values of metrics' labels. Events and statistics are in camelCase, labels in snake_case: these tables
 * map one to the other, and the compiler keeps them complete.
 */
import type { State } from "effect/persistence/CircuitBreaker"
import type { EvictionCause } from "../../Tier.ts"
import type {
  AnomalyKind,
  AuditResult,
  Changed,
  FailedReason,
  LookupRefused,
  MissCause,
  StaleReason,
  TierFailed,
} from "../../LarderEvent.ts"

/** The label's value for each value of an event's field. */
export type LabelsOf<Value extends string> = Readonly<Record<Value, string>>

export const staleReasons: LabelsOf<StaleReason> = {
  revalidating: "revalidating",
  failed: "failed",
  softTimeout: "soft_timeout",
  breakerOpen: "breaker_open",
  shed: "shed",
}

export const failedReasons: LabelsOf<FailedReason> = {
  failed: "failed",
  defect: "defect",
  timeout: "timeout",
  breakerOpen: "breaker_open",
  shed: "shed",
  remembered: "remembered",
  notReturned: "not_returned",
  invalidKey: "invalid_key",
  closed: "closed",
}

export const missCauses: LabelsOf<MissCause> = {
  new: "new",
  evicted: "evicted",
  expired: "expired",
  marked: "marked",
  suspect: "suspect",
  demand: "demand",
}

export const refusedReasons: LabelsOf<LookupRefused["reason"]> = {
  breakerOpen: "breaker_open",
  shed: "shed",
}

/** How a lookup that reached upstream ended. */
export type LookupOutcome =
  | "succeeded"
  | "notModified"
  | "failed"
  | "defect"
  | "timedOut"
  | "interrupted"

export const lookupOutcomes: LabelsOf<LookupOutcome> = {
  succeeded: "succeeded",
  notModified: "not_modified",
  failed: "failed",
  defect: "defect",
  timedOut: "timed_out",
  interrupted: "interrupted",
}

/** Why a background refresh began. */
export type RefreshTrigger = "revalidate" | "early" | "scheduled" | "softTimeout" | "queued"

export const refreshTriggers: LabelsOf<RefreshTrigger> = {
  revalidate: "revalidate",
  early: "early",
  scheduled: "scheduled",
  softTimeout: "soft_timeout",
  queued: "queued",
}

/** How a request for a lease, or a lease, ended. */
export type LeaseOutcome =
  | "won"
  | "busy"
  | "newer"
  | "failedElsewhere"
  | "lost"
  | "takenOver"
  | "unanswered"

export const leaseOutcomes: LabelsOf<LeaseOutcome> = {
  won: "won",
  busy: "busy",
  newer: "newer",
  failedElsewhere: "failed_elsewhere",
  lost: "lost",
  takenOver: "taken_over",
  unanswered: "unanswered",
}

export const breakerStates: LabelsOf<State["_tag"]> = {
  Closed: "closed",
  Open: "open",
  HalfOpen: "half_open",
}

/** What one read of a key in a tier found. */
export type TierReadResult = "fresh" | "stale" | "nothing" | "undecodable" | "foreign" | "noAnswer"

export const tierReadResults: LabelsOf<TierReadResult> = {
  fresh: "fresh",
  stale: "stale",
  nothing: "nothing",
  undecodable: "undecodable",
  foreign: "foreign",
  noAnswer: "no_answer",
}

/** What a step in a tier is for. */
export type TierOperation = "read" | "write" | "lease" | "mark"

export const tierOperations: LabelsOf<TierOperation> = {
  read: "read",
  write: "write",
  lease: "lease",
  mark: "mark",
}

export type TierOutcome = "ok" | TierFailed["reason"]

export const tierOutcomes: LabelsOf<TierOutcome> = {
  ok: "ok",
  failed: "failed",
  timedOut: "timed_out",
  breakerOpen: "breaker_open",
}

export const evictionCauses: LabelsOf<EvictionCause> = {
  size: "size",
  weight: "weight",
  expired: "expired",
  refused: "refused",
}

export const changeOperations: LabelsOf<Changed["operation"]> = {
  set: "set",
  expire: "expire",
  remove: "remove",
  tags: "tags",
  clear: "clear",
}

export const auditResults: LabelsOf<AuditResult> = {
  same: "same",
  differs: "differs",
  failed: "failed",
  skipped: "skipped",
}

export const anomalies: LabelsOf<AnomalyKind> = {
  keyPollution: "key_pollution",
  ttlTooShort: "ttl_too_short",
  stampede: "stampede",
  coldStart: "cold_start",
  earlyRefreshOverload: "early_refresh_overload",
}

/** Messages of changes between nodes. */
export type MessageDirection = "sent" | "received" | "ignored"

export const messageDirections: LabelsOf<MessageDirection> = {
  sent: "sent",
  received: "received",
  ignored: "ignored",
}

export type Queue = "lookups" | "backgroundLookups" | "writes" | "recovery"

export const queues: LabelsOf<Queue> = {
  lookups: "lookups",
  backgroundLookups: "background_lookups",
  writes: "writes",
  recovery: "recovery",
}

/** What an outbox keeps for a key. */
export type OutboxState = "waiting" | "inFlight" | "dead"

export const outboxStates: LabelsOf<OutboxState> = {
  waiting: "waiting",
  inFlight: "in_flight",
  dead: "dead",
}

/** How an attempt to write ended, and writes that are given up. */
export type FlushOutcome = "written" | "failed" | "dead"

export const flushOutcomes: LabelsOf<FlushOutcome> = {
  written: "written",
  failed: "failed",
  dead: "dead",
}
