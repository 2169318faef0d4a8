/** Upstream: the current value of each key, and how lookups of it behave. */
import { Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Life, Lookup, Moment } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import { type Behaviour, type Config, lagOf, lateMillis } from "../plan/Plan.ts"
import { numberOf, type SimulatedValue, valueOf } from "./values.ts"

/** The error of a lookup, with its number. */
export interface LookupError {
  readonly _tag: "LookupError"
  readonly lookup: number
}

export const isLookupError = (error: unknown): error is LookupError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "LookupError"

/** What a lookup that takes so many ms waits for. */
export type Pause = (lookup: Lookup, millis: number) => Effect.Effect<void>

const asPlanned: Pause = (_, millis) => Effect.sleep(millis)

interface Previous {
  readonly value: unknown
}

export class Source {
  behaviour: Behaviour = "answers"
  /** ms. */
  millis = 0
  readonly #recorder: Recorder
  readonly #hardTimeout: number
  readonly #lag: number
  readonly #pause: Pause
  /** By key, the writes that a replica may not have. */
  readonly #writes = new Map<string, ReadonlyArray<Moment>>()
  /** By key, the tags of the values that it gives. */
  readonly #tags = new Map<string, ReadonlyArray<string>>()

  constructor(recorder: Recorder, config: Config, pause: Pause = asPlanned) {
    this.#recorder = recorder
    this.#hardTimeout = config.hardTimeout
    this.#lag = lagOf(config)
    this.#pause = pause
  }

  publish(key: string, tags: ReadonlyArray<string>): void {
    this.#tags.set(key, tags)
  }

  tagsOf(key: string): ReadonlyArray<string> {
    return this.#tags.get(key) ?? []
  }

  wrote(key: string, at: Moment): void {
    if (this.#lag > 0) this.#writes.set(key, [...this.#missing(key, at.at), at])
  }

  /** The writes of a key that replicas do not have yet. */
  #missing(key: string, now: number): ReadonlyArray<Moment> {
    return (this.#writes.get(key) ?? []).filter(({ at }) => at > now - this.#lag)
  }

  lookup(
    life: Life,
    key: string,
    previous: Previous | undefined,
  ): Effect.Effect<SimulatedValue | Upstream.NotModified, LookupError> {
    return Effect.suspend(() => {
      const { behaviour, millis } = this
      const [lagsFrom] = this.#missing(key, this.#recorder.now)
      const lookup = this.#recorder.lookup({ key, life, behaviour }, lagsFrom)
      const left = Effect.sync(() => this.#recorder.ended(lookup, "interrupted"))
      const answer = this.#answer(lookup, previous)
      if (behaviour === "disobeys") return this.#disobeying(answer)
      const behaved = behaviour === "hangs" ? Effect.never : answer
      const paused = millis === 0 ? behaved : Effect.andThen(this.#pause(lookup, millis), behaved)
      return Effect.onInterrupt(paused, () => left)
    })
  }

  /** Answers after the lookup has been given up. */
  #disobeying<A, E>(answer: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptible(Effect.delay(answer, this.#hardTimeout + lateMillis))
  }

  #answer(
    lookup: Lookup,
    previous: Previous | undefined,
  ): Effect.Effect<SimulatedValue | Upstream.NotModified, LookupError> {
    const { behaviour, key, number } = lookup
    // Made when the lookup begins: what upstream had then.
    const renews = behaviour === "notModified" && previous !== undefined
    const value = renews ? numberOf(previous.value) : this.#recorder.value(key, this.tagsOf(key))
    return Effect.suspend((): Effect.Effect<SimulatedValue | Upstream.NotModified, LookupError> => {
      if (behaviour === "fails" || behaviour === "dies") {
        this.#recorder.ended(lookup, "failed")
        const error: LookupError = { _tag: "LookupError", lookup: number }
        return behaviour === "fails" ? Effect.fail(error) : Effect.die(error)
      }
      this.#recorder.ended(lookup, renews ? "renewed" : "value", value)
      return Effect.succeed(renews ? Upstream.notModified : valueOf(value))
    })
  }
}
