/** Looking at what there is for one caller of one key, and deciding by `Decision` what to do. A look changes nothing. */
import * as Decision from "../../Decision.ts"
import * as Freshness from "../../Freshness.ts"
import type { Engine } from "../state/engine.ts"
import type { Failure } from "../state/failureMemory.ts"
import type { Flight } from "../state/flight.ts"
import { type Candidate, type Outcome } from "../state/flight.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"

/** What is there for a call. A look changes nothing. */
interface Look {
  /** What memory has, be it past its life. */
  readonly inMemory: MemoryCandidate | undefined
  /** The flight whose result this caller may have. */
  readonly flight: Flight | undefined
  readonly failure: Failure | undefined
}

/** What has been found out about a call, and what is to be done. */
export interface Decided {
  readonly action: Decision.Action
  readonly local: MemoryCandidate | undefined
  readonly flight: Flight | undefined
  readonly failure: Failure | undefined
}

/** `many`: the caller asks for many keys, and can be told that the bulk lookup does not know this one. */
export const decide = (
  engine: Engine,
  k: string,
  demand: Decision.ReadDemand,
  now: number,
  many = false,
): Decided => {
  // A refresh that was put off begins now, so that this caller finds what comes of it.
  engine.flights.at(k)?.start?.()
  const { failure, flight, inMemory } = look(engine, k, demand, now)
  if (inMemory !== undefined) engine.entries.tidy(k, inMemory)
  // Race: callers of a flight that settles have its value already; none gets an older one after that.
  const isOlder = flight?.outcome !== undefined || inMemory?.freshness._tag === "Missing"
  const local = isOlder ? undefined : inMemory
  const isAnswer = failure !== undefined && (many || !failure.notReturned)
  const action = Decision.next({
    trigger: "arrived",
    usability: usabilityOf(engine, local, demand, now),
    inFlight: flight !== undefined,
    throttled: failure !== undefined && now < failure.retryAt,
    // Where memory has nothing, a farther tier may still have something stale to give instead.
    failureKnown:
      isAnswer &&
      now < failure.rememberUntil &&
      (local !== undefined || engine.stack.farther.length === 0),
    graceDenied: isAnswer && failure.graceDenied,
  })
  return { action, local, flight, failure }
}

const look = (engine: Engine, k: string, demand: Decision.ReadDemand, now: number): Look => ({
  inMemory: engine.entries.look(k, now),
  flight: joinable(engine, k, demand),
  failure: engine.failures.at(k, now),
})

const usabilityOf = (
  { entries }: Engine,
  local: MemoryCandidate | undefined,
  demand: Decision.ReadDemand,
  now: number,
): Decision.Usability =>
  local === undefined
    ? "missing"
    : Decision.usability(local.freshness, local.entry.storedAt, entries.isDue(local, now), demand)

/** The flight whose result this caller may have. */
const joinable = (engine: Engine, k: string, demand: Decision.ReadDemand): Flight | undefined => {
  const flight = engine.flights.at(k)
  if (flight === undefined) return undefined
  const { outcome } = flight
  const isValue = outcome?._tag === "Value"
  const mayJoin = Decision.mayJoin({
    isDetached: engine.flights.isDetached(flight),
    outcome: isValue ? usabilityOfResult(engine, outcome.result, demand) : asOutcome(outcome),
    overtaken:
      isValue &&
      engine.marks.fellBetween(outcome.result.entry.tags, flight.asOf, engine.marks.last),
  })
  return mayJoin ? flight : undefined
}

const asOutcome = (outcome: Outcome | undefined): "none" | "failure" =>
  outcome === undefined ? "none" : "failure"

/** The result of a flight that settles must be good for a caller that comes now. */
const usabilityOfResult = (
  engine: Engine,
  { entry }: Candidate,
  demand: Decision.ReadDemand,
): Decision.Usability =>
  Decision.usability(Freshness.of(entry, engine.now()), entry.storedAt, false, demand)
