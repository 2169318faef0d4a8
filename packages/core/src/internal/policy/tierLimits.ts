/** Checks the limits that an operator gives for a byte tier, and fills in the defaults. */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { InvalidOptions } from "../../InvalidOptions.ts"
import type { BreakerOptions, LimitOptions, Limits, PushOptions } from "../../Tier.ts"
import { millisOf } from "../runtime/duration.ts"
import { areOptions, type Names, type NamesOf } from "../runtime/optionNames.ts"
import { longestTimer } from "../runtime/processLife.ts"
import {
  breakerFailures,
  breakerOpenMillis,
  heartbeatMillis,
  leaseMillis,
  markMaxAgeMillis,
  settleMillis,
} from "../runtime/limits.ts"

/** The least of a time, ms, and in words. */
interface Least {
  readonly millis: number
  readonly words: string
}

const none: Least = { millis: 0, words: "0" }
const aMilli: Least = { millis: 1, words: "1 millisecond" }
/** A heartbeat is a trip to a server. */
const aHeartbeat: Least = { millis: 10, words: "10 milliseconds" }
/** A third of the lease must be enough for a trip that renews it. */
const aLease: Least = { millis: 100, words: "100 milliseconds" }
/** Redis accepts a late change for half a second, and must still know what came after it. */
const aSecond: Least = { millis: 1_000, words: "1 second" }

const allNames: NamesOf<LimitOptions | Limits> = {
  leaseTime: true,
  leaseWait: true,
  markMaxAge: true,
  settleTime: true,
  heartbeat: true,
  push: true,
  pushBytes: true,
  breaker: true,
}
const { pushBytes: _, ...optionNames } = allNames
const breakerNames: NamesOf<BreakerOptions> = { failures: true, openFor: true }
const pushNames: NamesOf<PushOptions> = { maxBytes: true }

/** The limits of a tier that its author gives, without the tier's own options. */
export const handMadeLimits = (
  limits: LimitOptions | Limits,
): Result.Result<Limits, InvalidOptions> => {
  const given = { module: "Tier", names: allNames, got: limits, within: "limits" }
  const mistake = InvalidOptions.ofNames(given)
  return mistake === undefined ? tierLimits("Tier", limits, "limits.") : Result.fail(mistake)
}

/** The limits among the options of a tier; `own` has the names of the others, for a check of the names. */
export const limitsAmong = (
  module: string,
  options: LimitOptions | Limits,
  own: Names | undefined,
): Result.Result<Limits, InvalidOptions> => {
  const isUnchecked = own === undefined && areOptions(options)
  const names = { ...own, ...optionNames }
  const mistake = isUnchecked ? undefined : InvalidOptions.ofNames({ module, names, got: options })
  return mistake === undefined ? tierLimits(module, options) : Result.fail(mistake)
}

/**
 * The checked limits; checked ones stay as they are. `prefix` stands before the names of the fields in
 * an error.
 */
const tierLimits = (
  module: string,
  options: LimitOptions | Limits,
  prefix: string = "",
): Result.Result<Limits, InvalidOptions> => {
  const misnamed = (got: unknown, names: Names, field: string) =>
    InvalidOptions.ofNames({ module, names, got, within: `${prefix}${field}` })
  const invalid = (field: string, must: string, got: unknown) =>
    Result.fail(InvalidOptions.of({ module, field: `${prefix}${field}`, must, got }))
  const time = (
    field: string,
    got: Duration.Input | undefined,
    byDefault: number,
    least: Least,
  ) => {
    if (got === undefined) return Result.succeed(byDefault)
    const millis = millisOf(got)
    return millis !== undefined && millis >= least.millis && millis <= longestTimer
      ? Result.succeed(millis)
      : invalid(field, `be a duration from ${least.words} to 24 days, such as "10 seconds"`, got)
  }
  return Result.gen(function* () {
    const { breaker = {} } = options
    const noBreaker = misnamed(breaker, breakerNames, "breaker")
    if (noBreaker !== undefined) return yield* Result.fail(noBreaker)
    const { failures = breakerFailures } = breaker
    if (!Number.isSafeInteger(failures) || failures < 1) {
      return yield* invalid("breaker.failures", "be an integer of at least 1", failures)
    }
    const checked = "pushBytes" in options ? options.pushBytes : 0
    const given = "push" in options ? options.push : undefined
    const push = given === undefined ? { maxBytes: checked } : given
    const noPush = misnamed(push, pushNames, "push")
    if (noPush !== undefined) return yield* Result.fail(noPush)
    const pushBytes = push.maxBytes
    if (!Number.isSafeInteger(pushBytes) || (given !== undefined && pushBytes < 1)) {
      return yield* invalid("push.maxBytes", "be an integer of at least 1", pushBytes)
    }
    const leaseTime = yield* time("leaseTime", options.leaseTime, leaseMillis, aLease)
    return {
      leaseTime,
      leaseWait: yield* time("leaseWait", options.leaseWait, leaseTime, none),
      markMaxAge: yield* time("markMaxAge", options.markMaxAge, markMaxAgeMillis, none),
      settleTime: yield* time("settleTime", options.settleTime, settleMillis, aSecond),
      heartbeat: yield* time("heartbeat", options.heartbeat, heartbeatMillis, aHeartbeat),
      pushBytes,
      breaker: {
        failures,
        openFor: yield* time("breaker.openFor", breaker.openFor, breakerOpenMillis, aMilli),
      },
    }
  })
}
