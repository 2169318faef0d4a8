/** The records of a timeline. */
import type { Decision, Larder, LarderEvent } from "@larder/core"

/**
 * The methods of a larder whose calls are recorded.
 *
 * @category models
 * @since 0.1.0
 */
export type Method =
  | "get"
  | "getMany"
  | "getWithMeta"
  | "read"
  | "set"
  | "expire"
  | "remove"
  | "refresh"
  | "invalidateTags"
  | "clear"
  | "invalidateWhen"

interface Base {
  /** ms of virtual time, by the clock that no node's skew changes. */
  readonly at: number
  /** The name of the node. */
  readonly node: string
}

interface OfLarder extends Base {
  /** The name of the larder. */
  readonly larder: string
}

interface OfCall extends OfLarder {
  /** The number of the call: an answer has that of its call. */
  readonly call: number
  readonly method: Method
  /** The keys, as strings; the tags of `invalidateTags`; none for `clear`. */
  readonly keys: ReadonlyArray<string>
}

/**
 * A caller called a larder.
 *
 * @category models
 * @since 0.1.0
 */
export interface Called extends OfCall {
  readonly _tag: "Called"
}

/**
 * A call ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answered extends OfCall {
  readonly _tag: "Answered"
  /** How long the call took, ms of virtual time. */
  readonly millis: number
  /** One for each key; one for a change. */
  readonly answers: ReadonlyArray<Answer>
}

/**
 * A larder told an event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Happened extends OfLarder {
  readonly _tag: "Happened"
  readonly event: LarderEvent.LarderEvent
}

/**
 * A larder decided what a caller gets. The lanes of a failed assertion show the last decision.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decided extends OfLarder {
  readonly _tag: "Decided"
  readonly key: string
  readonly situation: Decision.Situation
  readonly action: Decision.Action
}

/**
 * A remark of the test or of the kit, such as a fault that was switched on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Noted extends Base {
  readonly _tag: "Noted"
  readonly text: string
}

/**
 * What a timeline records.
 *
 * @category models
 * @since 0.1.0
 */
export type Record = Called | Answered | Happened | Decided | Noted

/**
 * A caller got a value. The details are undefined where the call does not tell them: `refresh`, and
 * `getMany` for a value that memory does not have.
 *
 * @category models
 * @since 0.1.0
 */
export interface Served {
  readonly _tag: "Served"
  readonly key: string
  readonly value: unknown
  readonly freshness: "Fresh" | "Stale" | "Missing" | undefined
  /** The tier that had the value; `"upstream"` for a value just looked up. */
  readonly tier: string | undefined
  /** The time since upstream validated the value, ms. */
  readonly age: number | undefined
  /** How long the lookup of the value took, ms. */
  readonly loadMillis: number | undefined
  /** The version of the value; undefined if unknown. */
  readonly version: number | undefined
  /** The number of the last mark that was known when the value was looked up; undefined if unknown. */
  readonly asOf: number | undefined
  readonly tags: ReadonlyArray<string>
}

/**
 * How a call ended for one key, or for a change. `Left`: the caller was interrupted, or its node was killed.
 * `Done`: a `read` or an `invalidateWhen` ended, with a short description of its result.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer =
  | Served
  | {
      readonly _tag: "Failed"
      readonly key: string
      readonly error: unknown
      readonly isDefect: boolean
    }
  | { readonly _tag: "Changed"; readonly ack: Larder.Ack }
  | { readonly _tag: "Done"; readonly text: string }
  | { readonly _tag: "Left" }
