/** The options of the rules, checked, with their defaults. */
import { InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"
import type { Options } from "../Rules.ts"

/** All options; durations in milliseconds of the time in which the rules run. */
export interface Settings {
  readonly timeScale: number
  readonly runbook: string
  readonly interval: number
  readonly lockWait: number
  readonly breakerNotClosed: number
  readonly staleRatio: number
  readonly countRevalidating: boolean
  readonly leastStaleRate: number
  readonly warningSigmas: number
  readonly criticalSigmas: number
  readonly leastBaselineRate: number
  readonly hitRatioFloor: number
  readonly hitRatioFall: number
  readonly latencyFloor: number
  readonly latencyRise: number
  readonly lookupsFloor: number
  readonly lookupsRise: number
  readonly fastBurn: number
  readonly slowBurn: number
  readonly stampedeRate: number
  readonly pendingChanges: number
  readonly outdatedShare: number
  readonly gapRate: number
  readonly oldestWrite: number
}

type Name = keyof Settings

const names: Readonly<Record<Name, true>> & Readonly<Record<keyof Options, true>> = {
  timeScale: true,
  runbook: true,
  interval: true,
  lockWait: true,
  breakerNotClosed: true,
  staleRatio: true,
  countRevalidating: true,
  leastStaleRate: true,
  warningSigmas: true,
  criticalSigmas: true,
  leastBaselineRate: true,
  hitRatioFloor: true,
  hitRatioFall: true,
  latencyFloor: true,
  latencyRise: true,
  lookupsFloor: true,
  lookupsRise: true,
  fastBurn: true,
  slowBurn: true,
  stampedeRate: true,
  pendingChanges: true,
  outdatedShare: true,
  gapRate: true,
  oldestWrite: true,
}

const invalid = (field: Name, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "Rules", field, must, got })

const isNumber = (got: unknown): got is number => typeof got === "number" && Number.isFinite(got)

/** A finite number that is at least `least`; above it if `isOpen`. */
const numberOf = (field: Name, got: unknown, least: number, isOpen = false): number => {
  if (isNumber(got) && (isOpen ? got > least : got >= least)) return got
  throw invalid(field, `be a number ${isOpen ? "above" : "of at least"} ${least}`, got)
}

const shareOf = (field: Name, got: unknown): number => {
  if (isNumber(got) && got > 0 && got < 1) return got
  throw invalid(field, "be a share above 0 and below 1, such as 0.1", got)
}

const scaleOf = (got: unknown): number => {
  if (isNumber(got) && got >= 1) return got
  throw invalid("timeScale", "be a number of at least 1: 60 makes minutes seconds", got)
}

const textOf = (field: Name, got: unknown): string => {
  if (typeof got === "string" && got.trim() !== "") return got
  throw invalid(field, "be the address of the runbook, such as https://wiki/larder", got)
}

const switchOf = (field: Name, got: unknown): boolean => {
  if (typeof got === "boolean") return got
  throw invalid(field, "be true or false", got)
}

/** Prometheus counts nanoseconds in 64 bits, which are 292 years. */
const longestMillis = 100 * 365 * 24 * 60 * 60 * 1_000

/** Only an option that is undefined is left out: null is a mistake. */
const orElse = <A>(got: A | undefined, usual: A): A => (got === undefined ? usual : got)

/** Milliseconds of a duration, divided by the scale; above 0. */
const scaledMillis = (field: Name, got: unknown, scale: number): number => {
  const millis = InvalidOptions.millisOf(got)
  if (millis !== undefined && millis > 0 && millis <= longestMillis) return millis / scale
  throw invalid(field, 'be a duration above 0 and of at most 100 years, such as "1 minute"', got)
}

const sigmasOf = (options: Options): Pick<Settings, "warningSigmas" | "criticalSigmas"> => {
  const warningSigmas = numberOf("warningSigmas", orElse(options.warningSigmas, 2), 0, true)
  const criticalSigmas = numberOf("criticalSigmas", orElse(options.criticalSigmas, 3), 0, true)
  if (criticalSigmas >= warningSigmas) return { warningSigmas, criticalSigmas }
  const must = `be at least warningSigmas, which is ${warningSigmas}`
  throw invalid("criticalSigmas", must, criticalSigmas)
}

const checked = (options: Options): Settings => {
  const timeScale = scaleOf(orElse(options.timeScale, 1))
  const millis = (field: Name, got: unknown) => scaledMillis(field, got, timeScale)
  return {
    timeScale,
    ...sigmasOf(options),
    runbook: textOf("runbook", orElse(options.runbook, "docs/runbook.md")),
    interval: millis("interval", orElse(options.interval, "30 seconds")),
    lockWait: numberOf("lockWait", orElse(options.lockWait, 0.1), 0),
    breakerNotClosed: millis("breakerNotClosed", orElse(options.breakerNotClosed, "1 minute")),
    staleRatio: shareOf("staleRatio", orElse(options.staleRatio, 0.1)),
    countRevalidating: switchOf("countRevalidating", orElse(options.countRevalidating, false)),
    leastStaleRate: numberOf("leastStaleRate", orElse(options.leastStaleRate, 0.1), 0),
    leastBaselineRate: numberOf("leastBaselineRate", orElse(options.leastBaselineRate, 1), 0),
    hitRatioFloor: shareOf("hitRatioFloor", orElse(options.hitRatioFloor, 0.01)),
    hitRatioFall: shareOf("hitRatioFall", orElse(options.hitRatioFall, 0.02)),
    latencyFloor: millis("latencyFloor", orElse(options.latencyFloor, "5 millis")),
    latencyRise: millis("latencyRise", orElse(options.latencyRise, "20 millis")),
    lookupsFloor: numberOf("lookupsFloor", orElse(options.lookupsFloor, 0.5), 0, true),
    lookupsRise: numberOf("lookupsRise", orElse(options.lookupsRise, 1), 0),
    fastBurn: numberOf("fastBurn", orElse(options.fastBurn, 14.4), 0, true),
    slowBurn: numberOf("slowBurn", orElse(options.slowBurn, 6), 0, true),
    stampedeRate: numberOf("stampedeRate", orElse(options.stampedeRate, 0.1), 0),
    pendingChanges: numberOf("pendingChanges", orElse(options.pendingChanges, 0), 0),
    outdatedShare: shareOf("outdatedShare", orElse(options.outdatedShare, 0.01)),
    gapRate: numberOf("gapRate", orElse(options.gapRate, 0.01), 0),
    oldestWrite: millis("oldestWrite", orElse(options.oldestWrite, "1 minute")),
  }
}

/** The settings of these options, or the first option that cannot be used. */
export const settingsOf = (options: Options): Result.Result<Settings, InvalidOptions> => {
  const misnamed = InvalidOptions.ofNames({ module: "Rules", names, got: options })
  if (misnamed !== undefined) return Result.fail(misnamed)
  return Result.try({
    try: () => checked(options),
    // Nothing else is thrown there.
    catch: (error) => error as InvalidOptions,
  })
}
