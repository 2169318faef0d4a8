/** Puts: the token from the arbiter, then the outbox, then the cache. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { AfterCommit } from "../../AfterCommit.ts"
import { type InvalidKey, LarderClosed } from "../../LarderError.ts"
import type { SourceWrite } from "../write/through.ts"
import { firstRoomPauseMillis, longestRoomPauseMillis } from "../runtime/limits.ts"
import { InvalidWrite, type OutboxFailed, OutboxFull } from "./outboxErrors.ts"
import type { Settings } from "./settings.ts"

/** The outbox has the write, and the cache is to have no value. */
class Offered extends Data.TaggedError("Offered")<{}> {}

type Refusal = InvalidKey | InvalidWrite | OutboxFull | OutboxFailed

/** Resumes after some time, or earlier where the outbox has made progress. */
export type Pause = (millis: number) => Effect.Effect<void>

export class Writer<K, A, E> {
  readonly #settings: Settings<K, A, E>
  readonly #pause: Pause
  /** Puts that found no room try again one after the other: room for one key must not wake all of them. */
  readonly #full = Semaphore.makeUnsafe(1)
  isClosed = false
  #hasWarned = false

  constructor(settings: Settings<K, A, E>, pause: Pause) {
    this.#settings = settings
    this.#pause = pause
  }

  readonly offer = (key: K, value: Option.Option<A>): Effect.Effect<number, Refusal> =>
    Effect.suspend(() => {
      const { larder, whenFull } = this.#settings
      if (this.isClosed) return Effect.die(new LarderClosed({ larder: larder.name }))
      const once = this.#offerOnce(key, value)
      if (whenFull === "fail") return once
      return Effect.catchIf(once, isFull, () =>
        this.#full.withPermits(1)(
          Effect.ensuring(
            this.#untilThereIsRoom(once, firstRoomPauseMillis),
            Effect.sync(() => {
              this.#hasWarned = false
            }),
          ),
        ),
      )
    })

  /** Only people make room where nothing is left but dead letters. Once for each put that waits. */
  get #warnOfDeadLetters(): Effect.Effect<void> {
    const { lines, outbox } = this.#settings
    return Effect.suspend(() => {
      if (this.#hasWarned) return Effect.void
      return Effect.ignore(
        Effect.map(outbox.depth, ({ dead, inFlight, waiting }) => {
          if (dead === 0 || waiting + inFlight > 0) return
          this.#hasWarned = true
          lines.write(
            "Warn",
            "full",
            `a put waits, since the outbox is full of dead letters (${dead}): revive or discard them (dead, revive and discard of the outbox), or raise maxPending`,
          )
        }),
      )
    })
  }

  /** Holds no token while it waits: lookups of the key go on. */
  #untilThereIsRoom(
    once: Effect.Effect<number, Refusal>,
    pause: number,
  ): Effect.Effect<number, Refusal> {
    return Effect.catchIf(once, isFull, () =>
      Effect.andThen(
        Effect.andThen(this.#warnOfDeadLetters, this.#pause(pause)),
        this.#untilThereIsRoom(once, Math.min(pause * 2, longestRoomPauseMillis)),
      ),
    )
  }

  #offerOnce(key: K, value: Option.Option<A>): Effect.Effect<number, Refusal> {
    const { larder, outbox } = this.#settings
    const cached = outbox.merge === undefined ? value : Option.none()
    let version = 0
    // Uninterruptible but for the offer: once the outbox has the write, the cache must follow.
    const offered = Effect.uninterruptibleMask((restore) => {
      const writing = ({ version: token }: SourceWrite) =>
        Effect.suspend(() => {
          version = token
          return Effect.andThen(
            restore(outbox.offer({ key, value, version })),
            Option.isSome(cached) ? Effect.succeed(cached.value) : Effect.fail(new Offered()),
          )
        })
      const untouched = (error: unknown) =>
        error instanceof OutboxFull || error instanceof InvalidWrite || isOffered(error)
      return Effect.catchIf(larder.through(key, { untouched })(writing), isOffered, () =>
        larder.remove(key),
      )
    })
    // The outbox has the write whether or not a transaction of the caller commits.
    return Effect.provideService(
      Effect.map(offered, () => version),
      AfterCommit,
      (effect) => effect,
    )
  }
}

const isFull = (error: unknown): error is OutboxFull => error instanceof OutboxFull

const isOffered = (error: unknown): error is Offered => error instanceof Offered
