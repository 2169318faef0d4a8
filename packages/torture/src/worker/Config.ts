/** The configuration of a worker process, and its commands. */

export type Place =
  | { readonly _tag: "Single"; readonly port: number }
  | {
      readonly _tag: "Cluster"
      readonly ports: ReadonlyArray<number>
      /** The port of the proxy, by the port of its server. */
      readonly through: Readonly<Record<number, number>>
    }
  | {
      readonly _tag: "Sentinel"
      readonly name: string
      readonly sentinels: ReadonlyArray<number>
      readonly through: Readonly<Record<number, number>>
    }

export const wires = ["json", "compressed", "encrypted", "msgpack"] as const
export type WireName = (typeof wires)[number]

export const larders = ["awaited", "background"] as const
export type LarderName = (typeof larders)[number]

export interface PolicyTimes {
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly hardTimeout: number
  readonly tierTimeout: number
  readonly tierBudget: number
}

export interface Config {
  readonly node: string
  readonly role: "node" | "observer"
  readonly seed: number
  readonly log: string
  readonly prefix: string
  readonly place: Place
  readonly wire: WireName
  /** The file of a SQLite tier between memory and Redis. */
  readonly sqlite: string | undefined
  /** ms; absent when only messages end the freshness of what other nodes have changed. */
  readonly maxFreshFor: number | undefined
  readonly clockAhead: number
  readonly policy: PolicyTimes
  /** Whether to invalidate everything now and then: it hides the effects of other marks. */
  readonly clears: boolean
  readonly larders: ReadonlyArray<LarderName>
}

export type Command =
  /** Blocks the event loop for so long. */
  | { readonly _tag: "Block"; readonly millis: number }
  /** Closes a larder while it is in use, and makes it anew. */
  | { readonly _tag: "Reopen"; readonly larder: LarderName }
  /** Makes all lookups fail from now on, or succeed again. */
  | { readonly _tag: "Upstream"; readonly fails: boolean }
  /**
   * Invalidates as many tags as the node keeps as missed ones; more follow when Redis is probed.
   */
  | { readonly _tag: "Flood" }
  /** Replies `Closed` when the breakers let everything through. */
  | { readonly _tag: "AwaitBreakers"; readonly millis: number }
  /** Sets each of these several times at once, in the background. */
  | {
      readonly _tag: "Burst"
      readonly from: number
      readonly keys: number
      readonly times: number
    }
  | { readonly _tag: "StopMarks" }
  | { readonly _tag: "StopChanges" }
  /** Replies `Quiet` when nothing is left to replay. */
  | { readonly _tag: "AwaitQuiet"; readonly millis: number }
  /** The last reads; replies `Done`. */
  | { readonly _tag: "Final"; readonly keys: ReadonlyArray<string> }

export type Reply =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Quiet" }
  | { readonly _tag: "Done" }
  | { readonly _tag: "BurstDone"; readonly from: number }
  | { readonly _tag: "Flooded" }
  | { readonly _tag: "Closed" }
  /** Reports the number of operations, for the progress display. */
  | { readonly _tag: "Count"; readonly operations: number }
