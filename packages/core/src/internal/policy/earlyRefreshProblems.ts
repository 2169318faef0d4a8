/** Checks early refreshes: arguments of the constructors, and objects made by hand. */
import * as Schedule from "effect/Schedule"
import { InvalidPolicy } from "../../InvalidPolicy.ts"

const isShare = (share: unknown, most: (share: number) => boolean): boolean =>
  typeof share === "number" && share > 0 && most(share)

const problem = (field: string, reason: string): InvalidPolicy =>
  new InvalidPolicy({ field, reason })

export const ofAfter = (fraction: unknown): InvalidPolicy | undefined =>
  isShare(fraction, (share) => share < 1)
    ? undefined
    : problem(
        "earlyRefresh",
        `after(${String(fraction)}) is not a share of freshFor; give a number above 0 and below 1, such as 0.8`,
      )

export const ofXFetch = (beta: unknown, maxFraction: unknown): InvalidPolicy | undefined => {
  if (!(typeof beta === "number" && beta > 0 && beta < Infinity)) {
    const reason = `${String(beta)} is not a finite number above 0; 1 is the default`
    return problem("earlyRefresh.beta", reason)
  }
  if (!isShare(maxFraction, (share) => share <= 1)) {
    const reason = `${String(maxFraction)} is not a share of freshFor; give a number above 0, at most 1`
    return problem("earlyRefresh.maxFraction", reason)
  }
  return undefined
}

export const ofScheduled = (early: unknown, schedule: unknown): InvalidPolicy | undefined => {
  if (!Schedule.isSchedule(schedule)) {
    const reason = `${shown(schedule)} is no Schedule; give one, such as Schedule.spaced("1 second")`
    return problem("earlyRefresh.schedule", reason)
  }
  if (tagOf(early) === "Scheduled") {
    return problem("earlyRefresh", "scheduled(scheduled(...)) has two schedules; give one")
  }
  return of(early)
}

/** Undefined for a valid early refresh, also one made by hand. */
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
      return problem(
        "earlyRefresh",
        `${shown(early)} is none; make it with EarlyRefresh.after, xfetch or scheduled`,
      )
  }
}

const tagOf = (early: unknown): unknown =>
  typeof early === "object" && early !== null && "_tag" in early ? early._tag : undefined

const shown = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? `an object with _tag ${String(tagOf(value))}`
    : String(value)
