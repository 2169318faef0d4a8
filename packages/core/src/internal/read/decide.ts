/** Looks at the state of one key for one caller, and decides by `Decision` what the caller gets. */
import * as Decision from "../../Decision.ts"
import * as Freshness from "../../Freshness.ts"
import { decideNext } from "../state/decideNext.ts"
import type { Engine } from "../state/engine.ts"
import type { Failure } from "../state/failureMemory.ts"
import { usabilityOf as usabilityFor } from "../flight/waiters.ts"
import type { Candidate, Demand, Flight } from "../state/flight.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"
import { withChecks } from "./question.ts"

/** The decision for one caller, and the state that it rests on. */
export interface Decided {
  readonly action: Decision.Action
  readonly local: MemoryCandidate | undefined
  /** The entry in memory, good for the caller or not. */
  readonly inMemory: MemoryCandidate | undefined
  readonly flight: Flight | undefined
  readonly failure: Failure | undefined
  /** The caller's demand, and that of the policy of the value in memory. */
  readonly demand: Demand
}

/** `many`: the caller is `getMany`, which may get `KeyNotReturned` for this key. */
export const decide = (
  engine: Engine,
  k: string,
  asked: Demand,
  now: number,
  many = false,
): Decided => {
  const active = engine.flights.at(k)
  // Start a deferred refresh now, so that this caller finds its result.
  active?.start?.()
  const inMemory = engine.entries.look(k, now)
  const demand = withChecks(engine, asked, inMemory?.held.policy)
  const flight = active === undefined ? undefined : joinable(engine, k, demand)
  const failure = engine.failures.at(k, now)
  // Race: memory has an older value than callers have got. Stamped as fresh, it would be the next hit.
  if (inMemory !== undefined && !engine.flights.isSettling(k)) engine.entries.tidy(k, inMemory)
  // Race: a flight has answered its callers, and its value is on the way to the tiers. A later caller
  // must not get the older value that memory still has.
  const isOlder = flight?.outcome !== undefined || inMemory?.freshness._tag === "Missing"
  const local = isOlder ? undefined : inMemory
  const isAnswer = failure !== undefined && (many || !failure.notReturned)
  const action = decideNext(engine, k, {
    trigger: "arrived",
    usability: usabilityOf(engine, local, demand, now),
    inFlight: flight !== undefined,
    throttled: failure !== undefined && now < failure.retryAt,
    // Without an entry in memory, a farther tier may have a stale one: wait for it rather than fail.
    failureKnown:
      isAnswer &&
      now < failure.rememberUntil &&
      (local !== undefined || engine.stack.farther.length === 0),
    graceDenied: isAnswer && failure.graceDenied,
  })
  return { action, local, inMemory, flight, failure, demand }
}

const usabilityOf = (
  { entries }: Engine,
  local: MemoryCandidate | undefined,
  demand: Demand,
  now: number,
): Decision.Usability =>
  local === undefined ? "missing" : usabilityFor(local, demand, entries.isDue(local, now))

/** The flight that this caller may join. */
const joinable = (engine: Engine, k: string, demand: Demand): Flight | undefined => {
  const flight = engine.flights.at(k)
  if (flight === undefined) return undefined
  const { outcome } = flight
  const isDetached = engine.flights.isDetached(flight)
  // A running lookup, which most calls find, costs no situation of its own.
  if (outcome === undefined)
    return Decision.mayJoin(isDetached ? detached : running) ? flight : undefined
  const isValue = outcome._tag === "Value"
  const mayJoin = Decision.mayJoin({
    isDetached,
    outcome: isValue ? usabilityOfResult(engine, outcome.result, demand) : "failure",
    overtaken:
      isValue &&
      engine.marks.fellBetween(outcome.result.entry.tags, flight.asOf, engine.marks.last),
  })
  return mayJoin ? flight : undefined
}

const running: Decision.Joinable = { isDetached: false, outcome: "none", overtaken: false }
const detached: Decision.Joinable = { ...running, isDetached: true }

/** How usable the result of a settling flight is for a caller that arrives now. */
const usabilityOfResult = (engine: Engine, result: Candidate, demand: Demand): Decision.Usability =>
  usabilityFor({ ...result, freshness: Freshness.of(result.entry, engine.now()) }, demand)
