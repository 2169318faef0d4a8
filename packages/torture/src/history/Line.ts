/**
 * The lines that processes write while a round runs, each a line of JSON. All times are of
 * `clock.now`, so lines of different processes can be compared.
 *
 * A *session* is one larder of one process, from when it is made to when it closes or its process
 * dies.
 */

export interface RoundLine {
  readonly t: "round"
  readonly round: number
  readonly seed: number
  readonly stack: string
  readonly wire: string
  readonly freshFor: number
  /** The life of a value, including stale-while-revalidate and stale-if-error. */
  readonly life: number
  readonly hardTimeout: number
  readonly tierBudget: number
  /** ms; absent when only messages end the freshness of what other nodes have changed. */
  readonly maxFreshFor?: number | undefined
  /** How often nodes check that messages reach them, ms. */
  readonly heartbeat: number
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

export type ChangeOp =
  | "set"
  | "remove"
  | "removeWhere"
  | "expire"
  | "tags"
  | "clear"
  | "around"
  | "through"
  | "update"

export interface ChangeLine {
  readonly t: "change"
  readonly session: string
  readonly id: string
  readonly op: ChangeOp
  readonly at: number
  readonly key?: string | undefined
  /** The name of the value that a `set` stores. */
  readonly value?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  /** Of `removeWhere`. */
  readonly prefix?: string | undefined
  /** Whether `tags` or `clear` drops stale values instead of keeping them for stale-if-error. */
  readonly drops?: boolean | undefined
  /** A `set` that does not wait for farther tiers. */
  readonly background?: boolean | undefined
}

/** The end of a change. An interrupted change, or one of a dead process, has none. */
export interface ChangedLine {
  readonly t: "changed"
  readonly id: string
  readonly at: number
  readonly settled: boolean
  /** The version that the arbiter gave the change; of tags and of everything, the number of the mark. */
  readonly version?: number | undefined
  readonly pending: ReadonlyArray<string>
  readonly error?: string | undefined
  /** Of a write of the source: whether it has succeeded, or left everything as it was. */
  readonly outcome?: "done" | "failed" | "idle" | undefined
}

/** The effect of a change has written the source, or the function of an update has made a value. */
export interface WroteLine {
  readonly t: "wrote"
  readonly id: string
  readonly at: number
  /** The name of the new value; absent for `around`. */
  readonly value?: string | undefined
  /** The name of the value that an update saw. */
  readonly seen?: string | undefined
}

/** A lookup began; it will return `value`. */
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
  /** The name of the returned value. */
  readonly value?: string | undefined
  /** Absent when the operation does not report it. */
  readonly freshness?: Freshness | undefined
  readonly tier?: string | undefined
  /** The caller's option. */
  readonly stale?: "never" | undefined
  readonly maxAge?: number | undefined
  /** A typed error, or a defect. */
  readonly error?: string | undefined
  readonly defect?: boolean | undefined
  /** A tier step failed in this session; only observers record it. */
  readonly tierFailed?: boolean | undefined
  /** Read after all faults and changes. */
  readonly final?: boolean | undefined
}

/**
 * A session has applied a message: of a change of `key` with this version, or, without a key, of
 * marks up to this number.
 */
export interface HeardLine {
  readonly t: "heard"
  readonly session: string
  readonly at: number
  readonly key?: string | undefined
  readonly version: number
}

/**
 * The tier has told the session that messages of a server are missing, or that they arrive again.
 * A session begins with a gap of all servers, until it is subscribed.
 */
export interface GapLine {
  readonly t: "gap"
  readonly session: string
  readonly at: number
  readonly part?: string | undefined
  readonly isOver: boolean
}

/** A call that was still running when the round ended. */
export interface PendingLine {
  readonly t: "pending"
  readonly session: string
  readonly op: string
  readonly key?: string | undefined
  readonly background?: boolean | undefined
  readonly begin: number
  readonly at: number
}

/** The process did not run: it was stopped, blocked or starved. */
export interface StallLine {
  readonly t: "stall"
  readonly node: string
  readonly from: number
  readonly to: number
}

/** The number of keys in a session's write queue, ten times a second. */
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
  /** The nodes that it reaches; absent when it reaches a server, and so all. */
  readonly nodes?: ReadonlyArray<string> | undefined
  /** The fault destroys data of servers. */
  readonly loses: boolean
  /** Keys on healthy servers, when the fault stopped some of several servers. */
  readonly unharmed?: ReadonlyArray<string> | undefined
}

/** `faults over`, `changes over`. */
export interface PhaseLine {
  readonly t: "phase"
  readonly name: "faults over" | "changes over"
  readonly at: number
}

/** Whether a session had all breakers closed and nothing to replay, after the changes. */
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
  | WroteLine
  | LookupLine
  | AnsweredLine
  | ReadLine
  | HeardLine
  | GapLine
  | PendingLine
  | StallLine
  | QueueLine
  | EventLine
  | UnhandledLine
  | FaultLine
  | PhaseLine
  | QuietLine
