/** The options of a baseline, checked, with their defaults. */
import * as Result from "effect/Result"
import type { Measure, Options } from "../../Baseline.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { millisOf, mustBeDuration } from "../runtime/duration.ts"
import type { NamesOf } from "../runtime/optionNames.ts"

/** Durations in seconds. */
export interface Settings {
  readonly window: number
  readonly offset: number
  readonly sigmas: { readonly warning: number; readonly critical: number }
  readonly floors: Readonly<Record<Measure, number>>
  readonly leastChanges: Readonly<Record<Measure, number>>
  readonly leastAnswers: number
}

const names: NamesOf<Options> = {
  window: true,
  offset: true,
  sigmas: true,
  floors: true,
  leastChanges: true,
  leastAnswers: true,
}
const measures: Readonly<Record<Measure, true>> = { hitRatio: true, meanWait: true, lookups: true }
const steps = { warning: true, critical: true } as const

const module = "Baseline"

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module, field, must, got })

const checkNames = (got: unknown, of: Readonly<Record<string, true>>, within?: string): void => {
  const mistake = InvalidOptions.ofNames({ module, names: of, got, within })
  if (mistake !== undefined) throw mistake
}

const secondsOf = (field: string, got: unknown, least: 0 | 1): number => {
  const excluded = least === 0 ? "Infinity" : "0 or Infinity"
  const millis = millisOf(got)
  if (millis !== undefined && Number.isFinite(millis) && (least === 0 || millis > 0))
    return millis / 1_000
  throw invalid(field, `${mustBeDuration}, and not ${excluded}`, got)
}

const isNumber = (got: unknown): got is number => typeof got === "number" && Number.isFinite(got)

const numberOf = (field: string, got: unknown, isOpen: boolean): number => {
  if (isNumber(got) && (isOpen ? got > 0 : got >= 0)) return got
  throw invalid(field, isOpen ? "be a number above 0" : "be a number of at least 0", got)
}

const sigmasOf = (got: Options["sigmas"]): Settings["sigmas"] => {
  if (got === undefined) return { warning: 2, critical: 3 }
  checkNames(got, steps, "sigmas")
  const warning = numberOf("sigmas.warning", got.warning, true)
  const critical = numberOf("sigmas.critical", got.critical, true)
  if (critical >= warning) return { warning, critical }
  throw invalid("sigmas.critical", `be at least sigmas.warning, which is ${warning}`, critical)
}

const byMeasure = (
  field: "floors" | "leastChanges",
  got: Options["floors"],
  usual: Readonly<Record<Measure, number>>,
): Readonly<Record<Measure, number>> => {
  if (got === undefined) return usual
  checkNames(got, measures, field)
  // A floor of 0 would make any change after a day without changes infinitely many deviations.
  const of = (measure: Measure) => {
    const { [measure]: own = usual[measure] } = got
    return numberOf(`${field}.${measure}`, own, field === "floors")
  }
  return { hitRatio: of("hitRatio"), meanWait: of("meanWait"), lookups: of("lookups") }
}

const checked = (options: Options): Settings => {
  checkNames(options, names)
  const { floors, leastAnswers = 1, leastChanges, offset = "1 hour", window = "1 day" } = options
  return {
    window: secondsOf("window", window, 1),
    offset: secondsOf("offset", offset, 0),
    sigmas: sigmasOf(options.sigmas),
    floors: byMeasure("floors", floors, { hitRatio: 0.01, meanWait: 0.005, lookups: 0.5 }),
    leastChanges: byMeasure("leastChanges", leastChanges, {
      hitRatio: 0.02,
      meanWait: 0.02,
      lookups: 1,
    }),
    leastAnswers: numberOf("leastAnswers", leastAnswers, false),
  }
}

/** The settings of these options, or the first option that cannot be used. */
export const settingsOf = (options: Options): Result.Result<Settings, InvalidOptions> =>
  Result.try({
    try: () => checked(options),
    // Nothing else is thrown there.
    catch: (error) => error as InvalidOptions,
  })
