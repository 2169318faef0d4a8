/** Counts, reports and logs failures of user functions among the options. */
import type { OptionFailed } from "../../LarderError.ts"
import { countUndecodable } from "../observe/counters.ts"
import type { Observer } from "../observe/eventHub.ts"
import type { Warnings } from "../observe/warnings.ts"

export class OptionFailures {
  readonly #observer: Observer
  readonly #warnings: Warnings

  constructor(observer: Observer, warnings: Warnings) {
    this.#observer = observer
    this.#warnings = warnings
  }

  /** An option failed on a stored value: the next lookup replaces it. */
  undecodable(k: string, tier: string, { message, option }: OptionFailed): undefined {
    countUndecodable(this.#observer.counters, tier)
    this.#observer.tell({ _tag: "Undecodable", key: k, tier, reason: message })
    this.#warnings.warn(
      `stored ${option}`,
      (tier = "the tier") =>
        `the option ${option} failed on a value stored in ${tier}; the value counts as missing until the next lookup replaces it. Make ${option} work for every value that the schema allows, or raise schemaVersion`,
      { tier },
    )
  }

  /** An option failed on a value from upstream: callers get the value, and it is not stored. */
  onAnswer({ option }: OptionFailed): void {
    this.#warnings.warn(
      `answered ${option}`,
      `the option ${option} failed on a value from upstream; callers get the value, but the larder does not store it. Make ${option} work for every value`,
    )
  }

  /** An option failed on an error of upstream: the larder ignores the option. */
  onError({ option }: OptionFailed): void {
    this.#warnings.warn(
      `failed ${option}`,
      `the option ${option} failed on an error of upstream, so the larder ignores the option for this error. Make ${option} work for every error`,
    )
  }
}
