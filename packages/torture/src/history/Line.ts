/**
 * What processes write down while a round runs, a line of JSON each. All times
 * are of `clock.now`, so lines of different processes can be compared.
 *
 * A *session* is one larder of one process, from when it is made to when it
 * closes or its process dies.
 */

export interface RoundLine {
  readonly t: "round"
  readonly round: number
  readonly seed: number
  readonly stack: string
  readonly wire: string
  readonly freshFor: number
  /** Of a value, grace included. */
  readonly life: number
  readonly hardTimeout: number
  readonly tierBudget: number
  readonly maxFreshFor: number
}

export interface OpenedLine {
  readonly t: "opened"
  readonly session: string
  readonly node: string
  readonly larder: string
  readonly at: number
}

export interface ClosingLine {
  readonly t: "closing" | "closed"
  readonly session: string
  readonly at: number
}

export type ChangeOp = "set" | "remove" | "expire" | "tags" | "clear"

export interface ChangeLine {
  readonly t: "change"
  readonly session: string
  readonly id: string
  readonly op: ChangeOp
  readonly at: number
  readonly key?: string | undefined
  /** Of a `set`: the name of the value. */
  readonly value?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  /** Of `tags` and `clear`: nothing is kept for when upstream fails. */
  readonly drops?: boolean | undefined
  /** A `set` that does not wait for farther tiers. */
  readonly background?: boolean | undefined
}

/** How a change ended. One that was interrupted, or whose process died, has none. */
export interface ChangedLine {
  readonly t: "changed"
  readonly id: string
  readonly at: number
  readonly settled: boolean
  readonly pending: ReadonlyArray<string>
  readonly error?: string | undefined
}

/** Upstream was asked; the answer will be `value`. */
export interface LookupLine {
  readonly t: "lookup"
  readonly session: string
  readonly key: string
  readonly value: string
  readonly at: number
}

export interface AnsweredLine {
  readonly t: "answered"
  readonly value: string
  readonly at: number
  readonly failed: boolean
}

export type ReadOp = "get" | "getMany" | "getWithMeta" | "read" | "refresh"
export type Freshness = "fresh" | "revalidate" | "error" | "missing"

export interface ReadLine {
  readonly t: "read"
  readonly session: string
  readonly op: ReadOp
  readonly key: string
  readonly begin: number
  readonly end: number
  /** The name of the value that was given. */
  readonly value?: string | undefined
  /** Where the operation tells. */
  readonly freshness?: Freshness | undefined
  readonly tier?: string | undefined
  /** What the caller demanded. */
  readonly stale?: "never" | undefined
  readonly maxAge?: number | undefined
  /** A typed error, or a defect. */
  readonly error?: string | undefined
  readonly defect?: boolean | undefined
  /** A step in a tier failed in this session, which only observers count. */
  readonly tierFailed?: boolean | undefined
  /** After all faults and changes. */
  readonly final?: boolean | undefined
}

/** A call that had not ended when the round did. */
export interface PendingLine {
  readonly t: "pending"
  readonly session: string
  readonly op: string
  readonly key?: string | undefined
  readonly background?: boolean | undefined
  readonly begin: number
  readonly at: number
}

/** The process did not run: stopped, blocked, or starved. */
export interface StallLine {
  readonly t: "stall"
  readonly node: string
  readonly from: number
  readonly to: number
}

/** How many keys a session's queue of writes has, ten times a second. */
export interface QueueLine {
  readonly t: "queue"
  readonly session: string
  readonly at: number
  readonly size: number
}

export interface EventLine {
  readonly t: "event"
  readonly session: string
  readonly at: number
  readonly event: string
  readonly detail: string
}

export interface UnhandledLine {
  readonly t: "unhandled"
  readonly node: string
  readonly at: number
  readonly error: string
}

export interface FaultLine {
  readonly t: "fault"
  readonly kind: string
  readonly from: number
  readonly to: number
  readonly detail: string
  /** Data of servers is gone. */
  readonly loses: boolean
  /** Keys on servers that were well, where the fault took some of several servers away. */
  readonly unharmed?: ReadonlyArray<string> | undefined
}

/** `faults over`, `changes over`. */
export interface PhaseLine {
  readonly t: "phase"
  readonly name: "faults over" | "changes over"
  readonly at: number
}

/** Whether a session had all its breakers closed and nothing to make up for, after the changes. */
export interface QuietLine {
  readonly t: "quiet"
  readonly session: string
  readonly at: number
  readonly quiet: boolean
  readonly detail: string
}

export type Line =
  | RoundLine
  | OpenedLine
  | ClosingLine
  | ChangeLine
  | ChangedLine
  | LookupLine
  | AnsweredLine
  | ReadLine
  | PendingLine
  | StallLine
  | QueueLine
  | EventLine
  | UnhandledLine
  | FaultLine
  | PhaseLine
  | QuietLine
