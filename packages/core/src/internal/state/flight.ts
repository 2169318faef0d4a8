/** A flight: one running lookup of one key in this node, and its waiters (request coalescing). */
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as Latch from "effect/Latch"
import type { ReadDemand } from "../../Decision.ts"
import type { Entry } from "../../Entry.ts"
import type { Freshness } from "../../Freshness.ts"
import type { FailedReason, StaleReason } from "../../LarderEvent.ts"
import { Chain, Linked } from "../runtime/linkedSet.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { LiveDemand } from "../upstream/liveDemand.ts"
import type { RecentLookups } from "./stampedes.ts"
import type { Timer } from "../runtime/deadlines.ts"

/** The conditions under which a caller accepts a value. */
export interface Demand extends ReadDemand {
  /**
   * A checked read: the arbiter must have confirmed the value after this moment, ms of monotonic time.
   * `-Infinity` for any value.
   */
  readonly confirmedAfter: number
  /** The moment of the call, which checks count from; undefined where nothing was checked so far. */
  readonly calledAt?: number | undefined
}

/** A value that a caller may get. */
export interface Candidate {
  readonly entry: Entry<unknown>
  /** The value as an effect. */
  readonly exit: Exit.Exit<unknown>
  readonly freshness: Freshness
  readonly tier: string
  /** The number of gaps before this node read or looked up the entry: see `Gaps`. */
  readonly gapsBefore: number
  /**
   * When the arbiter was asked for the value or confirmed it, or upstream was asked, in monotonic time;
   * undefined where that is unknown.
   */
  readonly askedAt?: number | undefined
}

/** Whether a checked read may have the value. */
export const isConfirmed = (
  { askedAt = -Infinity }: Candidate,
  { confirmedAfter }: Pick<Demand, "confirmedAfter">,
): boolean => confirmedAfter === -Infinity || askedAt > confirmedAfter

/** Why a lookup failed, as in the event `Failed`. */
export type FailureReason = Exclude<FailedReason, "remembered" | "invalidKey">

/** The reason of a stale value that a caller gets in place of the failure. */
export const staleReasonOf = (reason: FailureReason): StaleReason =>
  reason === "breakerOpen" || reason === "shed" ? reason : "failed"

/** The outcome of a flight. */
export type Outcome =
  | {
      readonly _tag: "Value"
      readonly result: Candidate
      /** A known value that is newer by `revision`: returned to every caller that may have it. */
      readonly newerKnown: Candidate | undefined
    }
  | {
      readonly _tag: "Failure"
      readonly exit: Exit.Exit<never, unknown>
      readonly reason: FailureReason
      /** The failure of an earlier lookup: this flight asked nobody. */
      readonly isRemembered?: boolean
      /** `graceFor` denies a stale value in place of the failure. */
      readonly graceDenied: boolean
      /** The bulk lookup did not return the key. Only callers of `getMany` get this failure. */
      readonly notReturned: boolean
    }

/** One waiting caller. A class, since a stampede makes thousands at once. */
export abstract class Waiter extends Linked<Waiter> {
  abstract readonly demand: Demand
  /** When the call began, in monotonic time: a clock that is set forward must not use up the time of a call. */
  abstract readonly arrivedAt: number
  /** The number of the last mark when the caller arrived. */
  readonly arrivedMark: number
  /** On a retry, when the wait ends, in monotonic time. */
  readonly deadline: number | undefined
  abstract readonly many: boolean
  /** The caller accepts only this lookup's result or failure: `refresh`. */
  abstract readonly insists: boolean
  /** The soft timeout has passed: the waiter accepts the first stale value. */
  softTimeoutPassed = false
  /** The soft timeout and the deadline. */
  timers: ReadonlyArray<Timer> | undefined = undefined

  constructor(arrivedMark: number, deadline: number | undefined) {
    super()
    this.arrivedMark = arrivedMark
    this.deadline = deadline
  }

  /** A mark overtook the caller's first lookup: it accepts the result of this one. */
  get isRetry(): boolean {
    return this.deadline !== undefined
  }

  abstract give(given: Candidate): void
  abstract fail(exit: Exit.Exit<never, unknown>): void
  abstract rejoin(): void
}

/** The right to look a key up, which the arbiter grants to one node at a time. */
export interface Lease {
  /** The version of the commit. */
  readonly token: number
  /** The version of the value or tombstone that the arbiter had when it granted the lease, if it told. */
  readonly storedVersion?: number | undefined
  /** The arbiter had no value at the key when it granted the lease. */
  readonly isFirst: boolean
  /** Ends the renewal of the lease. */
  readonly stopRenewal: () => void
}

export interface Unconfirmed {
  readonly tier: FartherTier
  /** With the times that it has once it is confirmed. */
  readonly entry: Entry<unknown>
}

export const noCancel = (): void => {}

export class Flight extends Linked<Flight> {
  readonly key: unknown
  readonly k: string
  /** The number of the last mark when the flight began; later, when its lookup began. */
  asOf: number
  /** `refresh`: the flight takes no answer from farther tiers. */
  readonly force: boolean
  /** An early refresh: the flight adopts only a newer version. */
  readonly early: boolean
  readonly many: boolean
  readonly waiters = new Chain<Waiter>()
  /** The flight continues without waiters. */
  background: boolean
  /** The flight adopts no value from farther tiers that was stored before this moment. */
  notBefore: number
  /** The `Demand.confirmedAfter` of the caller that began the flight. Callers that join compare theirs with the result. */
  confirmedAfter = -Infinity
  /** Opens when the value of an earlier flight, which a checked read must not miss, has reached the tiers. */
  earlier: Latch.Latch | undefined = undefined
  /** The span of the caller that began the flight, where there are tiers behind memory. */
  span: Tracer.AnySpan | undefined = undefined
  /** When the flight began to ask, in monotonic time: what the arbiter answers is as of then, or later. */
  askedAt = -Infinity
  /** When the lookup began, in monotonic time. */
  lookedUpAt = -Infinity
  /** A change of the key came in between: the waiters get the result, and it is not stored. */
  detached = false
  /** The best stale value to return if the lookup fails. */
  stale: Candidate | undefined
  outcome: Outcome | undefined
  /**
   * The last caller has left: the flight begins nothing more and stores nothing. Race: other keys of
   * the same `getMany` still have callers, so their shared work continues.
   */
  isAbandoned = false
  /** The state of the tier read for callers that joined a lookup which takes no answer from tiers. */
  beside: "none" | "running" | "fresh" | "nothingFresh" = "none"
  /** The `Upstream.Demand` of the lookup, while it runs. */
  demand: LiveDemand | undefined = undefined
  /** The highest version of the key in memory at the begin, or seen in a tier since. */
  known: number
  /** The number of gaps before the flight began: what it stores is suspect after a later one. */
  gapsBefore = 0
  /**
   * The highest version of the key in a message since the flight began. Race: an entry that a tier sent
   * before the change arrives after the message of the change.
   */
  heard = 0
  /** As `heard`, of removals alone: what is older is no answer, not even for stale-if-error. */
  removed = 0
  /** For how long the flight has waited for its turn at the arbiter, ms: a part of the wait for a lease. */
  waited = 0
  /** For how long the flight has waited for a circuit's probe before its lease, ms: a part of `hardTimeout`. */
  waitedForProbe = 0
  /** Every tier behind memory has answered the flight. */
  haveTiersAnswered = false
  /** Upstream has been asked: see {@link hears}. */
  isLookingUp = false
  /** The highest place in the arbiter's order that was surely before the begin of the lookup. */
  begunAfter = 0
  /** The highest version of a value of the key that this node knew as the lookup began. */
  knownBefore = 0
  /** The lookup has reached upstream: no guard holds it back. */
  reachedUpstream = false
  /** The lookups of the key lately, this one included, where callers waited for it. */
  recent: RecentLookups | undefined = undefined
  /** A newer release of the application wrote the entry: do not overwrite it. */
  isForeign = false
  /** The arbiter has answered the last request for the key; of many keys, that for another key of its server. */
  arbiterAnswers = false
  /** A suspect entry that a nearer tier has, and that the arbiter's version alone can confirm. */
  unconfirmed: Unconfirmed | undefined = undefined
  /** Set from the arbiter's grant until release or commit. */
  lease: Lease | undefined
  /** Set while the value is on the way to the tiers; opens at the end. */
  settling: Latch.Latch | undefined
  /** Starts a deferred flight; undefined once it has started. */
  start: (() => void) | undefined = undefined
  cancel: () => void = noCancel

  /**
   * Takes a message that the key has this version now. Returns true if a change came after the lookup
   * began, so that its result is not stored. A lookup under a lease began at its token. Race: without a
   * lease, the message of an earlier change, or of this node's own earlier commit, comes after the lookup
   * has begun. A removal has its place when it is made. A value has that of its token, and may have been
   * written to the source long after it, so only a known one is surely earlier.
   */
  hears(version: number, isRemoval: boolean): boolean {
    this.heard = Math.max(this.heard, version)
    if (isRemoval) this.removed = Math.max(this.removed, version)
    const earlier = isRemoval ? this.begunAfter : Math.min(this.begunAfter, this.knownBefore)
    return this.isLookingUp && version > (this.lease?.token ?? earlier)
  }

  /** Whether a caller or the larder still needs an outcome. */
  get isWanted(): boolean {
    return this.outcome === undefined && !this.isAbandoned
  }

  constructor(
    key: unknown,
    k: string,
    asOf: number,
    options: {
      readonly force: boolean
      readonly early: boolean
      readonly many: boolean
      readonly background: boolean
      readonly notBefore: number
      readonly stale: Candidate | undefined
    },
  ) {
    super()
    this.key = key
    this.k = k
    this.asOf = asOf
    this.force = options.force
    this.early = options.early
    this.many = options.many
    this.background = options.background
    this.notBefore = options.notBefore
    this.stale = options.stale
    this.known = options.stale?.entry.version ?? 0
  }
}
