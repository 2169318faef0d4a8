/** One running lookup of one key in this node, and the callers that wait for it. */
import type * as Exit from "effect/Exit"
import type * as Latch from "effect/Latch"
import type { ReadDemand } from "../../Decision.ts"
import type { Entry } from "../../Entry.ts"
import type { Freshness } from "../../Freshness.ts"
import { Chain, Linked } from "../runtime/linkedSet.ts"
import type { LiveDemand } from "../upstream/liveDemand.ts"
import type { Timer } from "../runtime/deadlines.ts"

/** A value on its way to a caller. */
export interface Candidate {
  readonly entry: Entry<unknown>
  /** The value as an effect. */
  readonly exit: Exit.Exit<unknown>
  readonly freshness: Freshness
  readonly tier: string
}

/** Why a lookup brought nothing, as `StaleServed` tells it. */
export type FailureReason = "failed" | "breakerOpen" | "shed"

/** What a flight came to. */
export type Outcome =
  | {
      readonly _tag: "Value"
      readonly result: Candidate
      /** By the source's own version this is newer: given to everybody who may have it. */
      readonly newerKnown: Candidate | undefined
    }
  | {
      readonly _tag: "Failure"
      readonly exit: Exit.Exit<never, unknown>
      readonly reason: FailureReason
      /** Stale values must not hide it. */
      readonly graceDenied: boolean
      /** The bulk lookup did not know the key: only those who asked for many can be told so. */
      readonly notReturned: boolean
    }

/** A class, since a stampede makes thousands at once. */
export abstract class Waiter extends Linked<Waiter> {
  abstract readonly demand: ReadDemand
  /** The number of the last mark when it came. */
  readonly arrivedMark: number
  /** For one that has already waited for a lookup: in monotonic time, when it has waited for long enough. */
  readonly deadline: number | undefined
  abstract readonly many: boolean
  /** Only what this lookup brings is an answer, or its failure: `refresh`. */
  abstract readonly insists: boolean
  /** Its soft timeout has passed: the first stale value that turns up is given. */
  softTimeoutPassed = false
  /** Its deadlines. */
  timers: ReadonlyArray<Timer> | undefined = undefined

  constructor(arrivedMark: number, deadline: number | undefined) {
    super()
    this.arrivedMark = arrivedMark
    this.deadline = deadline
  }

  /** Its first lookup was overtaken by a mark: it takes what this one brings. */
  get isRetry(): boolean {
    return this.deadline !== undefined
  }

  abstract give(given: Candidate): void
  abstract fail(exit: Exit.Exit<never, unknown>): void
  abstract rejoin(): void
}

/** The right to look a key up, which the arbiter grants to one node at a time. */
export interface Lease {
  /** The version that a commit has. */
  readonly token: number
  /** When it was granted, the arbiter had no value at the key. */
  readonly isFirst: boolean
  /** Ends the renewal of the lease. */
  readonly stopRenewal: () => void
}

const nothing = () => {}

export class Flight extends Linked<Flight> {
  readonly key: unknown
  readonly k: string
  /** The number of the last mark when it began, and, once upstream is asked, when that began. */
  asOf: number
  /** `refresh`: what farther tiers have is no answer. */
  readonly force: boolean
  /** The key was fresh when it began: only a newer version is worth taking over. */
  readonly early: boolean
  readonly many: boolean
  readonly waiters = new Chain<Waiter>()
  /** Belongs to the larder: it goes on when nobody waits. */
  background: boolean
  /** Values stored before this moment are not taken over from farther tiers. */
  notBefore: number
  /** A change of the key came in between: the result is for those who wait, and is not kept. */
  detached = false
  /** The best that could be given if the lookup fails. */
  stale: Candidate | undefined
  outcome: Outcome | undefined
  /**
   * Its last caller has left it: nothing more is begun for it, and nothing kept. Race: other
   * keys of the same getMany still have callers, so that the work that they share goes on.
   */
  isAbandoned = false
  /** A read of the farther tiers for callers that joined, beside a lookup that answers nothing from tiers. */
  beside: "none" | "running" | "fresh" | "nothingFresh" = "none"
  /** What its lookup is told, while that runs. */
  demand: LiveDemand | undefined = undefined
  /** The highest version of the key that memory had when it began, or that a tier has told of since. */
  known: number
  /** A newer release of the application wrote the key: its entry is not to be overwritten. */
  isForeign = false
  /** The arbiter has answered for the key. */
  arbiterAnswers = false
  /** From the arbiter's grant until it is given back or its value is committed. */
  lease: Lease | undefined
  /** Its value is on the way to the tiers, until this is opened. */
  settling: Latch.Latch | undefined
  /** Starts it; undefined once it has started. */
  start: (() => void) | undefined = undefined
  cancel: () => void = nothing

  /** Whether it is still to be answered. */
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
