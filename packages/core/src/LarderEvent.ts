/**
 * What a larder tells about itself. One union; metrics, logs, dashboards and
 * tests hang on it. Nothing is made when nobody listens.
 */
import type * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { EvictionCause } from "./Tier.ts"

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

/** A fresh value was given. */
export interface Hit extends OfKey {
  readonly _tag: "Hit"
  readonly tier: string
}
/** Nothing could be given without a lookup or a farther tier. */
export interface Miss extends OfKey {
  readonly _tag: "Miss"
}
/** A stale value was given, and why. */
export interface StaleServed extends OfKey {
  readonly _tag: "StaleServed"
  readonly reason: "revalidating" | "failed" | "softTimeout" | "breakerOpen" | "shed"
}
/** Upstream is being asked. `background`: no caller waits. */
export interface LookupStarted extends OfKey {
  readonly _tag: "LookupStarted"
  readonly background: boolean
}
export interface LookupSucceeded extends OfKey {
  readonly _tag: "LookupSucceeded"
  readonly millis: number
  readonly notModified: boolean
}
/** A typed failure, or a defect, of the lookup. */
export interface LookupFailed extends OfKey {
  readonly _tag: "LookupFailed"
  readonly millis: number
  readonly defect: boolean
}
export interface LookupTimedOut extends OfKey {
  readonly _tag: "LookupTimedOut"
  readonly millis: number
}
/** A caller joined a lookup that was already running. */
export interface Coalesced extends OfKey {
  readonly _tag: "Coalesced"
}
/** A fresh value's early refresh has come. */
export interface EarlyRefresh extends OfKey {
  readonly _tag: "EarlyRefresh"
}
export interface LeaseWon extends OfKey {
  readonly _tag: "LeaseWon"
  readonly token: number
}
/** Another node is looking the key up. */
export interface LeaseBusy extends OfKey {
  readonly _tag: "LeaseBusy"
  readonly leftMillis: number
}
/** The wait for another node's lookup is over; there was one only after a `LeaseBusy`. */
export interface LeaseWaited extends OfKey {
  readonly _tag: "LeaseWaited"
  /** Since the first busy answer. */
  readonly millis: number
}
/** The lease passed to somebody else before the lookup ended. */
export interface LeaseLost extends OfKey {
  readonly _tag: "LeaseLost"
}
/** A looked-up value is in memory: the arbiter stored it, did not answer, or there is none. */
export interface Committed extends OfKey {
  readonly _tag: "Committed"
  readonly version: number
}
/** What was looked up was not kept: something newer came in between. */
export interface Superseded extends OfKey {
  readonly _tag: "Superseded"
}
/** A step in a tier failed, took too long, or was refused by its open breaker. */
export interface TierFailed extends Base {
  readonly _tag: "TierFailed"
  readonly tier: string
  readonly operation: string
  readonly reason: "failed" | "timedOut" | "breakerOpen"
  readonly message: string
}
/** A tier has something to say that an operator should know; it is in the log as well. */
export interface TierWarning extends Base {
  readonly _tag: "TierWarning"
  readonly tier: string
  readonly message: string
}
/** The breaker of a tier or of the upstream changed its state. */
export interface BreakerChanged extends Base {
  readonly _tag: "BreakerChanged"
  readonly breaker: string
  readonly from: CircuitBreaker.State["_tag"]
  readonly to: CircuitBreaker.State["_tag"]
}
/** An entry left a tier without a caller asking for it: memory, or a tier that keeps a bound and says so. */
export interface Evicted extends OfKey {
  readonly _tag: "Evicted"
  readonly tier: string
  readonly cause: EvictionCause
}
/** Bytes in a tier could not be read as an entry; they count as a miss. */
export interface Undecodable extends OfKey {
  readonly _tag: "Undecodable"
  readonly tier: string
  readonly reason: string
}
/** Changes that a tier missed while it was away have reached it. */
export interface Recovered extends Base {
  readonly _tag: "Recovered"
  readonly tier: string
  readonly changes: number
}
/** This subscriber was too slow and lost `count` events. */
export interface Dropped extends Base {
  readonly _tag: "Dropped"
  readonly count: number
}

export type LarderEvent =
  | Hit
  | Miss
  | StaleServed
  | LookupStarted
  | LookupSucceeded
  | LookupFailed
  | LookupTimedOut
  | Coalesced
  | EarlyRefresh
  | LeaseWon
  | LeaseBusy
  | LeaseWaited
  | LeaseLost
  | Committed
  | Superseded
  | TierFailed
  | TierWarning
  | BreakerChanged
  | Evicted
  | Undecodable
  | Recovered
  | Dropped
