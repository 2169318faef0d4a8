/** The options of a lease alone, checked. */
import * as Result from "effect/Result"
import { InvalidOptions } from "../../InvalidOptions.ts"
import type { Options } from "../../Lease.ts"
import { millisOf } from "../runtime/duration.ts"
import * as keys from "../state/key.ts"
import { leastLoneLeaseMillis } from "../runtime/limits.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { longestTimer } from "../runtime/processLife.ts"

const names: NamesOf<Options> = { lease: true, wait: true }

/** ms. */
export interface Settings {
  readonly lease: number
  readonly wait: number
}

/** The error for what is given to be run while the lease is held. */
export const invalidEffect = (must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "Lease", field: "effect", must, got })

/** `module` is the one whose options these are. */
export const settingsOf = (
  module: string,
  key: string,
  options: Options,
): Result.Result<Settings, InvalidOptions> => {
  const invalid = (field: string, must: string, got: unknown) =>
    Result.fail(InvalidOptions.of({ module, field, must, got }))
  const problem = keys.invalid(key)
  if (problem !== undefined) {
    return invalid("key", `be a key of a larder, such as "nightly-report" (${problem})`, key)
  }
  const mistake = InvalidOptions.ofNames({ module, names, got: options })
  if (mistake !== undefined) return Result.fail(mistake)
  const { wait: longestWait = 0 } = options
  const lease = millisOf(options.lease)
  if (lease === undefined || lease < leastLoneLeaseMillis || lease > longestTimer) {
    const must = 'be a duration of 100 milliseconds to 24 days, such as "30 seconds"'
    return invalid("lease", must, options.lease)
  }
  const wait = millisOf(longestWait)
  if (wait === undefined) {
    return invalid("wait", 'be a duration of at least 0, such as "5 seconds"', options.wait)
  }
  return Result.succeed({ lease, wait })
}
