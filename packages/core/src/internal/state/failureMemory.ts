/** Remembered failures: some delay refreshes, some are returned again. */
import type * as Exit from "effect/Exit"
import type { FailureReason } from "./flight.ts"
import { rememberedFailures } from "../runtime/limits.ts"

export interface Failure {
  /** No refresh begins before this moment. */
  readonly retryAt: number
  /** Before this moment the failure is returned again where there is no stale value. */
  readonly rememberUntil: number
  readonly exit: Exit.Exit<unknown, unknown>
  readonly reason: FailureReason
  /** `graceFor` denies a stale value in place of the failure. */
  readonly graceDenied: boolean
  /** With `graceDenied`: until this moment, or a successful lookup, callers wait for a lookup. */
  readonly deniedUntil: number
  /** The bulk lookup did not return the key. Callers of `get` must not get this failure. */
  readonly notReturned: boolean
  /** Set while a circuit of upstream is open: the tiers had nothing better. */
  readonly quiet: Quiet | undefined
}

/** While a circuit is open, the tiers are not read again before `until`. */
export interface Quiet {
  readonly until: number
  /** The highest version that the tiers had, 0 for none: memory has it as well, or the tiers are read. */
  readonly version: number
}

const endOf = ({ deniedUntil, quiet, rememberUntil, retryAt }: Failure): number =>
  Math.max(deniedUntil, quiet?.until ?? 0, rememberUntil, retryAt)

export class Failures {
  readonly #failures = new Map<string, Failure>()

  at(k: string, now: number): Failure | undefined {
    if (this.#failures.size === 0) return undefined
    const failure = this.#failures.get(k)
    if (failure === undefined || now < endOf(failure)) return failure
    this.#failures.delete(k)
    return undefined
  }

  set(k: string, failure: Failure): void {
    this.#failures.delete(k)
    this.#failures.set(k, failure)
    if (this.#failures.size <= rememberedFailures) return
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest)
      return
    }
  }

  forget(k: string): void {
    if (this.#failures.size > 0) this.#failures.delete(k)
  }

  clear(): void {
    this.#failures.clear()
  }
}
