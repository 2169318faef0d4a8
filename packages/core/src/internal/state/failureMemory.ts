/** Failures that are remembered for a while: those that hold refreshes back, and those that are given again. */
import type * as Exit from "effect/Exit"
import type { FailureReason } from "./flight.ts"

export interface Failure {
  /** No refresh before this moment. */
  readonly retryAt: number
  /** Given again, where there is nothing stale, before this moment. */
  readonly rememberUntil: number
  readonly exit: Exit.Exit<unknown, unknown>
  readonly reason: FailureReason
  /** Stale values must not hide it. */
  readonly graceDenied: boolean
  /** Where they must not: until a lookup succeeds, or this moment, callers wait for a lookup instead of a refresh. */
  readonly deniedUntil: number
  /** The bulk lookup did not know the key: nothing that a caller of one key can be told. */
  readonly notReturned: boolean
}

const endOf = ({ deniedUntil, rememberUntil, retryAt }: Failure): number =>
  Math.max(deniedUntil, rememberUntil, retryAt)

/** More are forgotten, oldest first: that costs a lookup, nothing else. */
const maxFailures = 10_000

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
    if (this.#failures.size <= maxFailures) return
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
