/** Functions among the options that failed: what is counted, told and logged. */
import type { OptionFailed } from "../../LarderError.ts"
import type { Observer } from "../observe/eventHub.ts"
import type { Warnings } from "../observe/warnings.ts"

export class OptionFailures {
  readonly #observer: Observer
  readonly #warnings: Warnings

  constructor(observer: Observer, warnings: Warnings) {
    this.#observer = observer
    this.#warnings = warnings
  }

  /** An option failed on a value that is stored: the next load repairs the key. */
  undecodable(k: string, tier: string, { message, option }: OptionFailed): undefined {
    this.#observer.counters.undecodable += 1
    this.#observer.tell({ _tag: "Undecodable", key: k, tier, reason: message })
    this.#warnings.warn(
      `stored ${option}`,
      `the option ${option} failed on a value stored in ${tier}; the value counts as missing until the next lookup replaces it. Make ${option} work for every value that the schema allows, or raise schemaVersion`,
    )
  }

  /** An option failed on what upstream has just answered: callers get the answer, and nothing is kept. */
  onAnswer({ option }: OptionFailed): void {
    this.#warnings.warn(
      `answered ${option}`,
      `the option ${option} failed on an answer of upstream; callers get the answer, which is not kept. Make ${option} work for every answer`,
    )
  }

  /** An option failed on an error of upstream: it is as if the option were not there. */
  onError({ option }: OptionFailed): void {
    this.#warnings.warn(
      `failed ${option}`,
      `the option ${option} failed on an error of upstream and is left out of account. Make ${option} work for every error`,
    )
  }
}
