/** What a worker process is told when it starts, and later. */

export type Place =
  | { readonly _tag: "Single"; readonly port: number }
  | {
      readonly _tag: "Cluster"
      readonly ports: ReadonlyArray<number>
      /** From the ports of the servers to those of their proxies. */
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
  readonly maxFreshFor: number
  readonly clockAhead: number
  readonly policy: PolicyTimes
  /** Everything is invalidated now and then: it hides what is seen of other marks. */
  readonly clears: boolean
  readonly larders: ReadonlyArray<LarderName>
}

export type Command =
  /** The event loop does nothing else for so long. */
  | { readonly _tag: "Block"; readonly millis: number }
  /** Closes a larder in the middle of everything, and makes it anew. */
  | { readonly _tag: "Reopen"; readonly larder: LarderName }
  /** All lookups fail from now on, or do not. */
  | { readonly _tag: "Upstream"; readonly fails: boolean }
  /** So many tags are invalidated as the node may miss one by one; the next follow when Redis is probed. */
  | { readonly _tag: "Flood" }
  /** Answered with `Closed` when the breakers let everything through. */
  | { readonly _tag: "AwaitBreakers"; readonly millis: number }
  /** Each of these is set several times at once, in the background. */
  | {
      readonly _tag: "Burst"
      readonly from: number
      readonly keys: number
      readonly times: number
    }
  | { readonly _tag: "StopMarks" }
  | { readonly _tag: "StopChanges" }
  /** Answered with `Quiet` when nothing is left to make up for. */
  | { readonly _tag: "AwaitQuiet"; readonly millis: number }
  /** The last reads of all; answered with `Done`. */
  | { readonly _tag: "Final"; readonly keys: ReadonlyArray<string> }

export type Reply =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Quiet" }
  | { readonly _tag: "Done" }
  | { readonly _tag: "BurstDone"; readonly from: number }
  | { readonly _tag: "Flooded" }
  | { readonly _tag: "Closed" }
  /** For the progress shown, now and then. */
  | { readonly _tag: "Count"; readonly operations: number }
