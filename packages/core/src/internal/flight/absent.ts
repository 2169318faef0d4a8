/** Completes the flights of a follower whose key no tier has: a follower has no upstream to ask. */
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { holdBack } from "./lookupResult.ts"
import { complete } from "./waiters.ts"

/** No tier has the key. Never leaves the follower, which returns `None` in its place. */
export class Absent extends Data.TaggedError("Absent") {}

const absent = {
  exit: Exit.fail(new Absent()),
  reason: "notReturned",
  graceDenied: false,
  // `get` returns it too.
  notReturned: false,
} as const

/**
 * Callers get a stale value if there is one, and then the tiers are not read again for it within
 * `retryAfterFailure`, unless a message tells of a change. Without a stale value nothing is remembered: the
 * next caller reads the tiers.
 */
export const completeAbsent = (engine: Engine, flight: Flight): void => {
  if (!engine.flights.isDetached(flight)) holdBack(engine, flight, absent)
  complete(engine, flight, { _tag: "Failure", ...absent })
}
