/** Counts calls that memory could not answer, with the cause. */
import * as Freshness from "../../Freshness.ts"
import type { MissCause } from "../../LarderEvent.ts"
import * as answers from "../observe/answers.ts"
import type { Engine } from "../state/engine.ts"
import type { Demand, Flight } from "../state/flight.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"
import type { Decided } from "./decide.ts"

/** Counts a caller that has to wait: for the active flight, or for a new one. */
export const countWaiting = (
  engine: Engine,
  k: string,
  { demand, flight, inMemory }: Pick<Decided, "demand" | "flight" | "inMemory">,
): void => countMiss(engine, k, causeOf(engine, k, inMemory, demand), flight)

/** A `refresh`: it accepts no value of memory. */
export const countRefresh = (engine: Engine, k: string): void =>
  countMiss(engine, k, "demand", undefined)

const countMiss = (
  { observer }: Engine,
  k: string,
  cause: MissCause,
  flight: Flight | undefined,
): void => answers.missed(observer, k, cause, flight !== undefined)

const causeOf = (
  engine: Engine,
  k: string,
  inMemory: MemoryCandidate | undefined,
  demand: Demand,
): MissCause => {
  if (inMemory === undefined) return engine.near.whyAbsent?.(k) ?? "new"
  const { entry, gapsBefore } = inMemory
  const inTime = Freshness.of(entry, engine.now())
  if (inTime._tag === "Missing" || (inTime._tag === "Stale" && inTime.grace === "error")) {
    return "expired"
  }
  if (engine.marks.judge(entry) !== "valid") return "marked"
  if (engine.gaps.isSuspect(k, gapsBefore)) return "suspect"
  // Without a demand: `graceFor` denies the grace, or a lookup has just brought a newer value.
  return isDemanding(demand) ? "demand" : "expired"
}

const isDemanding = ({ allowStale, confirmedAfter, notBefore }: Demand): boolean =>
  !allowStale || notBefore > -Infinity || confirmedAfter > -Infinity
