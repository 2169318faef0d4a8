/**
 * What an observer outside of the larders sees of a run: calls and their answers, lookups, what the
 * network delivered, and the faults, each with its virtual time.
 */
import type { Behaviour, Config, Release, Step } from "../plan/Plan.ts"

/** A place in the order of everything that happens, and its virtual time, ms. */
export interface Moment {
  readonly order: number
  readonly at: number
}

/** A process of a node, from its begin to its end. */
export interface Life {
  readonly node: number
  /** Numbered per node from 0. */
  readonly number: number
  readonly release: Release
  readonly from: Moment
  /** When its larder could be called. */
  opened: Moment | undefined
  /** Why its larder could not be made. */
  failure: string | undefined
  /** When it began to close. */
  closing: Moment | undefined
  closed: Moment | undefined
  killed: Moment | undefined
}

export type Freshness = "Fresh" | "Stale" | "Missing"

export type Answer =
  | {
      readonly _tag: "Value"
      readonly key: string
      readonly value: number
      /** Undefined where the call does not say. */
      readonly freshness: Freshness | undefined
      readonly tier: string | undefined
      /** Of its entry, where the call says it. */
      readonly version?: number
    }
  /** A `read` without a value. */
  | { readonly _tag: "Nothing"; readonly key: string }
  /** The error of the lookup with this number; undefined for a timeout. */
  | { readonly _tag: "Failed"; readonly key: string; readonly lookup: number | undefined }
  /** The larder was closed. */
  | { readonly _tag: "Closed"; readonly key: string }
  | { readonly _tag: "Other"; readonly key: string; readonly text: string }

export type ReadOp = "get" | "getWithMeta" | "getMany" | "read" | "refresh"

export interface Read {
  readonly _tag: "Read"
  readonly number: number
  readonly op: ReadOp
  readonly life: Life
  readonly keys: ReadonlyArray<string>
  readonly maxAge: number | undefined
  readonly allowStale: boolean
  readonly check: boolean
  /** Made after all faults had ended, to see whether the nodes agree. */
  readonly isFinal: boolean
  readonly begin: Moment
  end: Moment | undefined
  /** The caller was told to leave. */
  left: Moment | undefined
  answers: ReadonlyArray<Answer>
}

export type ChangeOp =
  | "set"
  | "remove"
  | "expire"
  | "invalidateTags"
  | "clear"
  | "around"
  | "through"
  | "update"
  | "setIfPresent"

/** A transaction of a caller at the source. */
export interface Transaction {
  /** When the source had all of it; undefined where it has none. */
  committed: Moment | undefined
}

export interface Change {
  readonly _tag: "Change"
  readonly number: number
  readonly op: ChangeOp
  readonly life: Life
  /** Undefined for an invalidation of tags or of everything. */
  readonly key: string | undefined
  readonly tags: ReadonlyArray<string>
  keepStale: boolean
  /** Its effect writes the source in this one. */
  readonly transaction?: Transaction
  /** Of a `set`; of `through` and `update`, the last that it made. */
  value: number | undefined
  /** When its effect wrote the source. */
  readonly writes: ReadonlyArray<Moment>
  /** It has left everything as it was. */
  isIdle: boolean
  /** `update` and `through`: the caller got its value. */
  isDone: boolean
  readonly begin: Moment
  end: Moment | undefined
  left: Moment | undefined
  settled: boolean
  /** Of the acknowledgement. */
  version: number
  /** Its larder closed while it waited. */
  isClosed: boolean
  /** What else than an acknowledgement the caller got. */
  failure: string | undefined
}

export type Call = Read | Change

/** The function of an `update`, or the effect of a `through`, has run. */
export interface Run {
  readonly call: Change
  readonly key: string
  /** What the function saw; undefined for nothing. */
  readonly seen: number | undefined
  /** Undefined where it leaves things as they are. */
  readonly made: number | undefined
  readonly at: Moment
}

/** How a call for a lease ended. */
export type LeaseEnd =
  | "done"
  /** Its caller left, or its process closed. */
  | "left"
  | "notAcquired"
  | "lost"
  /** The tier did not answer. */
  | "unanswered"
  | "other"

/** A call for a lease. */
export interface LeaseCall {
  readonly name: string
  readonly life: Life
  /** ms. */
  readonly lease: number
  /** ms. How long it waits for the lease. */
  readonly wait: number
  /** ms. How long its work takes. */
  readonly work: number
  readonly begin: Moment
  end: Moment | undefined
  outcome: LeaseEnd | undefined
}

/** The work of a call for a lease runs. */
export interface Tenure {
  readonly call: LeaseCall
  readonly token: number
  readonly from: Moment
  to: Moment | undefined
}

export interface Lookup {
  readonly number: number
  /** The number among the lookups of its key. */
  readonly ofKey: number
  readonly key: string
  readonly life: Life
  readonly behaviour: Behaviour
  readonly begin: Moment
  end: Moment | undefined
  /** The replica that it reads has no write from this moment on; undefined where it has all. */
  readonly lagsFrom: Moment | undefined
  outcome: "value" | "renewed" | "failed" | "interrupted" | undefined
  value: number | undefined
}

/** Values are numbers that are never used twice. */
export interface Value {
  readonly value: number
  readonly key: string
  readonly tags: ReadonlyArray<string>
}

export type Received =
  | { readonly _tag: "Changed"; readonly key: string; readonly version: number }
  | { readonly _tag: "Marked"; readonly numbers: ReadonlyArray<number> }
  | { readonly _tag: "Gap"; readonly isOver: boolean }

export interface Delivery {
  readonly life: Life
  readonly at: Moment
  readonly message: Received
}

/** A heartbeat that arrives at a node. */
export interface Beat {
  readonly life: Life
  readonly sentAt: number
  readonly at: number
}

/** The arbiter has answered a request of a process. */
export interface Answered {
  readonly life: Life
  /** ms. */
  readonly at: number
}

export interface Taken {
  readonly step: Step
  readonly at: Moment
}

/** What the statistics of a larder said. */
export interface Sample {
  readonly life: Life
  readonly at: Moment
  /** In memory. */
  readonly entries: number
  /** By name. */
  readonly openBreakers: ReadonlyArray<string>
}

export interface Leftover {
  readonly life: Life
  readonly timers: number
}

export interface History {
  readonly config: Config
  readonly lives: ReadonlyArray<Life>
  readonly calls: ReadonlyArray<Call>
  readonly lookups: ReadonlyArray<Lookup>
  readonly runs: ReadonlyArray<Run>
  readonly leases: ReadonlyArray<LeaseCall>
  readonly tenures: ReadonlyArray<Tenure>
  readonly values: ReadonlyMap<number, Value>
  readonly deliveries: ReadonlyArray<Delivery>
  readonly beats: ReadonlyArray<Beat>
  readonly answers: ReadonlyArray<Answered>
  readonly steps: ReadonlyArray<Taken>
  readonly samples: ReadonlyArray<Sample>
  /** When all faults were ended. */
  readonly healed: Moment
  /** When the nodes had had time to recover. */
  readonly quiet: Moment
  /** When all larders had closed. */
  readonly over: Moment
  readonly leftovers: ReadonlyArray<Leftover>
}
