/** A plan: everything that decides a run, as plain data that JSON carries. */

/** How messages and heartbeats of the arbiter reach one node. */
export const messageConditions = [
  "prompt",
  "cut",
  /** Heartbeats arrive, messages do not. */
  "deaf",
  "lossy",
  "slow",
  "reordering",
  "twice",
  "chaos",
] as const

export type MessageCondition = (typeof messageConditions)[number]

/**
 * How requests of one node reach the arbiter.
 *
 * - `slow`, `slowAnswer`: within `tierTimeout`, before or after the request is applied.
 * - `lost`, `refused`: it is not applied; the node gets no answer, or an error.
 * - `answerLost`, `failsAfter`: it is applied; the node gets no answer, or an error.
 * - `lateCommit`: a commit is applied after the node has given it up.
 * - `corrupt`: answers to reads are damaged.
 * - `lossy`: each request one of these, by chance.
 * - `failsLate`: it is not applied; the node gets an error after `slowMillis`. Never drawn.
 */
export const requestConditions = [
  "prompt",
  "slow",
  "slowAnswer",
  "lost",
  "refused",
  "answerLost",
  "failsAfter",
  "lateCommit",
  "corrupt",
  "lossy",
] as const

export type RequestCondition = (typeof requestConditions)[number] | "failsLate"

/** How the file of a node behaves. */
export type FileCondition = Extract<
  RequestCondition,
  "prompt" | "slow" | "lost" | "refused" | "failsAfter" | "corrupt"
>

export type Behaviour =
  | "answers"
  | "notModified"
  | "fails"
  /** Ends with a defect. */
  | "dies"
  | "hangs"
  /** Does not end when it is interrupted. */
  | "disobeys"

/** How a release of the application encodes values. */
export interface Release {
  readonly schemaVersion: number
  /** Values in objects: a release without them cannot decode such a value, nor one with them another value. */
  readonly isBoxed: boolean
}

export const plainRelease: Release = { schemaVersion: 0, isBoxed: false }

export const isSameRelease = (one: Release, other: Release): boolean =>
  one.schemaVersion === other.schemaVersion && one.isBoxed === other.isBoxed

export interface Config {
  readonly nodes: number
  readonly keys: number
  /** Whether each node has a file between memory and the arbiter. */
  readonly file: boolean
  /** ms, as all times. */
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly earlyRefresh: boolean
  readonly softTimeout: number | null
  readonly hardTimeout: number
  readonly tierWrites: "awaited" | "background"
  readonly checked: boolean
  /** The most entries in memory. */
  readonly maxEntries: number
  /** Of memory; null for none. */
  readonly maxFreshFor: number | null
  readonly leaseTime: number
  readonly settleTime: number
  /** Whether messages bring values. */
  readonly push: boolean
  /** Each request takes twice this, each message once, where nothing is wrong. */
  readonly latency: number
  /** By how much the clocks of the nodes are ahead. */
  readonly skews: ReadonlyArray<number>
  readonly seed: number
  /** By node, what it runs at first. Default: {@link plainRelease}. */
  readonly releases?: ReadonlyArray<Release> | undefined
  /** How long replicas of the source, which lookups read, are behind it, ms. Default: 0. */
  readonly replicaLag?: number
  /** On how many servers the arbiter is. Default: 1, which is always drawn. */
  readonly servers?: number
  /** Default: {@link usualTimes}. */
  readonly times?: Times
}

/** Durations that do not differ from plan to plan of the simulator, ms. */
export interface Times {
  readonly leaseWait: number
  readonly retryAfterFailure: number
  readonly markMaxAge: number
}

export const usualTimes: Times = { leaseWait: 1_000, retryAfterFailure: 100, markMaxAge: 5_000 }

export const serversOf = ({ servers = 1 }: Config): number => servers

export const lagOf = ({ replicaLag = 0 }: Config): number => replicaLag

export const timesOf = ({ times = usualTimes }: Config): Times => times

export type ChangeStep =
  | { readonly _tag: "set" | "expire" | "remove"; readonly node: number; readonly key: string }
  | {
      readonly _tag: "invalidateTags"
      readonly node: number
      readonly tags: ReadonlyArray<string>
      readonly keepStale: boolean
    }
  | { readonly _tag: "clear"; readonly node: number; readonly keepStale: boolean }

/** How an effect that writes the source ends. */
export const writeEndings = [
  "done",
  "failsBefore",
  /** With an error that says so. */
  "leavesUntouched",
  "failsAfter",
  "dies",
] as const

export type WriteEnding = (typeof writeEndings)[number]

/** ms. The longest that an effect takes which writes the source. */
export const longestWrite = 400

/** An effect that writes the source. */
export interface Writing {
  readonly ending: WriteEnding
  /** ms, before the write. */
  readonly millis: number
  /** ms, after it. */
  readonly rest: number
  /** ms, after which the caller leaves; it stays where absent. */
  readonly leavesAfter?: number
}

export type WriteStep =
  | ({
      readonly _tag: "around"
      readonly node: number
      readonly key: string
      readonly before: "nothing" | "expire"
      readonly require: "sent" | "settled"
    } & Writing)
  | ({ readonly _tag: "through"; readonly node: number; readonly key: string } & Writing)
  /** `isPure`: its function changes the cache alone. */
  | ({
      readonly _tag: "update"
      readonly node: number
      readonly key: string
      readonly isPure: boolean
    } & Writing)
  | { readonly _tag: "setIfPresent"; readonly node: number; readonly key: string }
  /** An `update` of {@link counterKey}. */
  | { readonly _tag: "count"; readonly node: number; readonly leavesAfter?: number }

/** A write of the source in a transaction. */
export type TransactionWrite = Extract<
  WriteStep,
  { readonly _tag: "around" | "through" | "update" }
>

/** A node writes the source, different keys one after the other, and commits all of it or nothing. */
export interface TransactionStep {
  readonly _tag: "transaction"
  readonly node: number
  readonly writes: ReadonlyArray<TransactionWrite>
  /** Whether it gets each key that it writes, within the transaction. */
  readonly reads: boolean
  /** ms, from the last write to the end. */
  readonly rest: number
  readonly ending: "commits" | "rollsBack"
}

/** A node does some work while it holds the lease of a name. */
export interface LeaseStep {
  readonly _tag: "lease"
  readonly node: number
  readonly name: string
  /** ms. The same for all leases of a name. */
  readonly lease: number
  /** ms. How long the node waits for it. */
  readonly wait: number
  /** ms. How long the work takes. */
  readonly work: number
  /** ms, after which the caller leaves; it stays where absent. */
  readonly leavesAfter?: number
}

export type ReadStep =
  | {
      readonly _tag: "get"
      readonly node: number
      readonly key: string
      readonly maxAge?: number
      readonly stale?: "never"
      readonly check?: boolean
    }
  | {
      readonly _tag: "getWithMeta"
      readonly node: number
      readonly key: string
      readonly check?: boolean
    }
  | { readonly _tag: "read" | "refresh"; readonly node: number; readonly key: string }
  | { readonly _tag: "getMany"; readonly node: number; readonly keys: ReadonlyArray<string> }

export type FaultStep =
  | { readonly _tag: "messages"; readonly node: number; readonly condition: MessageCondition }
  | { readonly _tag: "requests"; readonly node: number; readonly condition: RequestCondition }
  /** The node notices that a connection which it had lost is there again. Never drawn. */
  | { readonly _tag: "reconnect"; readonly node: number }
  /** Neither messages nor requests arrive. */
  | { readonly _tag: "partition" | "heal"; readonly node: number }
  | { readonly _tag: "file"; readonly node: number; readonly condition: FileCondition }
  /** The time of day jumps to so much ahead of virtual time. */
  | { readonly _tag: "clock"; readonly node: number; readonly skew: number }
  /** A larder allows for half a millisecond a second. */
  | { readonly _tag: "drift"; readonly node: number; readonly rate: number }
  | { readonly _tag: "pause" | "resume"; readonly node: number }
  /** The process of the node closes its larder and begins again, perhaps as another release. */
  | { readonly _tag: "restart"; readonly node: number; readonly release?: Release }
  /** The process of the node ends at once; its memory is gone, its file is as it was. */
  | { readonly _tag: "kill"; readonly node: number }
  | { readonly _tag: "start"; readonly node: number; readonly release?: Release }
  | { readonly _tag: "pauseArbiter" | "resumeArbiter" }
  /** One of the arbiter's servers does not answer, until a replica takes its place. Never drawn. */
  | { readonly _tag: "serverAway" | "serverReplaced"; readonly server: number }
  /** The arbiter loses all records. */
  | { readonly _tag: "flush" }
  | { readonly _tag: "evict"; readonly share: number }
  /** A replica gets what the arbiter has now. */
  | { readonly _tag: "replicate" }
  /** The replica takes the place of the arbiter: what came since is lost. */
  | { readonly _tag: "failover" }
  | { readonly _tag: "upstream"; readonly behaviour: Behaviour; readonly millis: number }

export type Step =
  | ReadStep
  | ChangeStep
  | WriteStep
  | TransactionStep
  | LeaseStep
  | FaultStep
  /** Time passes, ms. */
  | { readonly _tag: "wait"; readonly millis: number }
  /** A caller that waits leaves. */
  | { readonly _tag: "interrupt"; readonly index: number }
  /** Upstream's value changes, and no node is told. */
  | { readonly _tag: "publish"; readonly key: string; readonly tags: ReadonlyArray<string> }

export interface Plan {
  readonly config: Config
  readonly steps: ReadonlyArray<Step>
}

/** The heartbeat of the arbiter, ms. */
export const heartbeat = 100
/** By then a node knows that it may have missed a message, ms. */
export const silence = 3 * heartbeat
export const tierTimeout = 200
export const tierBudget = 800
export const closeTimeout = 2_000
export const breakerOpenFor = 500
/** How long a slow request or answer takes, and a message that is slow. */
export const slowMillis = 50
/** After this a commit that was given up arrives. */
export const lateMillis = 250
/** How far, at most, messages are delayed. */
export const longestDelay = 300

/** Only updates touch it, beside what concerns all keys. */
export const counterKey = "count"

export const keyOf = (index: number): string => `key${index}`
export const keysOf = ({ keys }: Config): ReadonlyArray<string> =>
  Array.from({ length: keys }, (_, index) => keyOf(index))
