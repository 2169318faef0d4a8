/** Checks early refreshes: the arguments of their constructors, and objects made by hand. */
import * as Schedule from "effect/Schedule"
import type { InvalidPolicy } from "../../InvalidPolicy.ts"
import { problem } from "./policyProblem.ts"

const isShare = (share: unknown, most: (share: number) => boolean): boolean =>
  typeof share === "number" && share > 0 && most(share)

export const ofAfter = (fraction: unknown): InvalidPolicy | undefined =>
  isShare(fraction, (share) => share < 1)
    ? undefined
    : problem(
        "earlyRefresh",
        "begin after a share of freshFor above 0 and below 1, such as EarlyRefresh.after(0.8)",
        fraction,
      )

export const ofXFetch = (beta: unknown, maxFraction: unknown): InvalidPolicy | undefined => {
  if (!(typeof beta === "number" && beta > 0 && beta < Infinity)) {
    return problem("earlyRefresh.beta", "be a finite number above 0, such as 1", beta)
  }
  return isShare(maxFraction, (share) => share <= 1)
    ? undefined
    : problem(
        "earlyRefresh.maxFraction",
        "be a share of freshFor above 0 and at most 1, such as 0.5",
        maxFraction,
      )
}

export const ofScheduled = (early: unknown, schedule: unknown): InvalidPolicy | undefined => {
  if (!Schedule.isSchedule(schedule)) {
    const must = 'be a Schedule, such as Schedule.spaced("1 second")'
    return problem("earlyRefresh.schedule", must, schedule)
  }
  if (tagOf(early) === "Scheduled") {
    const must = "have one schedule, around EarlyRefresh.after or xfetch"
    return problem("earlyRefresh", must, early)
  }
  return of(early)
}

/** The error for an early refresh, also for one made by hand; undefined for a valid one. */
export const of = (early: unknown): InvalidPolicy | undefined => {
  const made = early as Readonly<Record<string, unknown>>
  switch (tagOf(early)) {
    case "None":
      return undefined
    case "After":
      return ofAfter(made["fraction"])
    case "XFetch":
      return ofXFetch(made["beta"], made["maxFraction"])
    case "Scheduled":
      return ofScheduled(made["early"], made["schedule"])
    default:
      return problem("earlyRefresh", "be made with EarlyRefresh.after, xfetch or scheduled", early)
  }
}

const tagOf = (early: unknown): unknown =>
  typeof early === "object" && early !== null && "_tag" in early ? early._tag : undefined
