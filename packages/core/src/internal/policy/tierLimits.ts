/** Checks the limits that an operator gives for a byte tier, and fills in the defaults. */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { InvalidOptions } from "../../InvalidOptions.ts"
import type { LimitOptions, Limits } from "../../Tier.ts"
import { millisOf } from "../runtime/duration.ts"
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

/**
 * The checked limits; checked ones stay as they are. `prefix` stands before the names of the fields in
 * an error.
 */
export const tierLimits = (
  module: string,
  options: LimitOptions | Limits,
  prefix: string = "",
): Result.Result<Limits, InvalidOptions> => {
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
    if (typeof breaker !== "object" || breaker === null) {
      return yield* invalid("breaker", "be an object with failures and openFor", breaker)
    }
    const { failures = breakerFailures } = breaker
    if (!Number.isSafeInteger(failures) || failures < 1) {
      return yield* invalid("breaker.failures", "be an integer of at least 1", failures)
    }
    const checked = "pushBytes" in options ? options.pushBytes : 0
    const given = "push" in options ? options.push : undefined
    const push = given ?? { maxBytes: checked }
    if (typeof push !== "object" || given === null) {
      return yield* invalid("push", "be an object with maxBytes", push)
    }
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
