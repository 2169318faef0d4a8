/** How a call that writes the source ends, and what the larder tells of its change. */
import { Larder } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import type * as L from "../history/Line.ts"
import type { UpstreamDown, Value } from "./Value.ts"

/** What the larder's event says of the change of the cache. */
export interface Told {
  readonly settled: boolean
  readonly version: number | undefined
}

const untold: Told = { settled: false, version: undefined }

export interface Written {
  readonly effect: Effect.Effect<unknown, unknown>
  /** Undefined for an end that nobody expects. */
  readonly outcomeOf: (exit: Exit.Exit<unknown, unknown>) => L.ChangedLine["outcome"]
}

/** The error of an effect that writes the source. */
export class WriteFailed {
  readonly _tag = "WriteFailed"
}

export const isExpected = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return (
    Cause.hasInterruptsOnly(cause) ||
    error instanceof WriteFailed ||
    error instanceof Larder.Contended ||
    error instanceof Larder.NotSettled
  )
}

/**
 * Tells how a call ends. Several changes of the key by one node at the same time cannot be told apart; then
 * nothing is known of them.
 */
export const heardOf = (
  larder: Larder.Larder<string, Value, UpstreamDown>,
  key: string,
  effect: Effect.Effect<unknown, unknown>,
  end: (exit: Exit.Exit<unknown, unknown>, told: Told) => void,
): Effect.Effect<unknown, unknown> =>
  Effect.scoped(
    Effect.flatMap(larder.subscribeTo({ hits: "none" }), (subscription) =>
      Effect.onExit(effect, (exit) =>
        Effect.map(PubSub.takeUpTo(subscription, Infinity), (events) => {
          const told = events.filter((event) => event._tag === "Changed" && event.key === key)
          const [one] = told
          const isKnown = told.length === 1 && one?._tag === "Changed"
          end(exit, isKnown ? { settled: one.settled, version: one.version } : untold)
        }),
      ),
    ),
  )
