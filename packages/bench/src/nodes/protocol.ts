/** The configuration of a node's process, what it is told, and what it answers. */

export interface Config {
  readonly url: string
  readonly prefix: string
  /** How long a lookup takes. */
  readonly lookupMillis: number
}

/** All times are of `process.hrtime`, which the processes of a machine share, in ms. */
export type Command =
  /** Reads the key again and again, and answers `Read` once; it is read until `Stop`. */
  | { readonly _tag: "Watch"; readonly key: string }
  | { readonly _tag: "Stop" }
  /** Sets the key. */
  | { readonly _tag: "Set"; readonly key: string; readonly value: string }
  /** So many callers at once. */
  | { readonly _tag: "Storm"; readonly key: string; readonly callers: number }
  /** Waits until each key has its value as fresh. */
  | { readonly _tag: "Agree"; readonly keys: ReadonlyArray<string>; readonly value: string }

export type Reply =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Read" }
  /** A watched key has another value: when the first read with it ended. */
  | { readonly _tag: "Saw"; readonly value: string; readonly at: number }
  | { readonly _tag: "Set"; readonly settled: boolean; readonly at: number }
  /** All callers are answered; the lookups of this node for them. */
  | { readonly _tag: "Stormed"; readonly lookups: number; readonly answers: ReadonlyArray<string> }
  | { readonly _tag: "Agreed"; readonly at: number }
