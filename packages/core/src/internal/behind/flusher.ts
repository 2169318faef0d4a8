/**
 * Writes what waits in an outbox to the source: batches, oldest first. It begins when the oldest write has
 * waited half of `maxLag`, or when a batch is full, and sleeps until then: offers wake it.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Deadline from "../../Deadline.ts"
import * as ProcessLife from "../../ProcessLife.ts"
import type { ClaimedWrite, UndecodedWrite } from "../../Outbox.ts"
import {
  deadReasonCharacters,
  longestRetryMillis,
  outboxRestMillis,
  singleWritesAtOnce,
} from "../runtime/limits.ts"
import { shownType } from "../runtime/shownValue.ts"
import { recommit } from "./recommit.ts"
import { retryDelay } from "./retryDelay.ts"
import type { Settings } from "./settings.ts"
import type { Tally } from "./tally.ts"

/** A write that did not end within `timeout`: nobody knows whether the source has it. */
class WriteTimeout extends Data.TaggedError("WriteTimeout")<{ readonly millis: number }> {
  override get message(): string {
    return `the write took longer than ${this.millis} ms`
  }
}

/** `writeMany` answered with what does not say which keys failed. */
class InvalidAnswer extends Data.TaggedError("InvalidAnswer")<{ readonly kind: string }> {
  override get message(): string {
    return `writeMany returned ${this.kind}, so it is unknown what was written; let it return nothing (Effect.asVoid), or a Map from the keys that failed to their errors`
  }
}

/** A copy: the answer stays in the hands of user code, which may change it. */
const failuresIn = <K, E>(
  answer: ReadonlyMap<K, E> | void,
): Effect.Effect<ReadonlyMap<K, E>, InvalidAnswer> =>
  Effect.suspend(() => {
    if (answer === undefined) return Effect.succeed(new Map<K, E>())
    return answer instanceof Map
      ? Effect.succeed(new Map<K, E>(answer))
      : Effect.fail(new InvalidAnswer({ kind: shownType(answer) }))
  })

type Writes<K, A> = ReadonlyArray<ClaimedWrite<K, A>>

export class Flusher<K, A, E> {
  readonly #settings: Settings<K, A, E>
  readonly #tally: Tally
  /** Lets fibers go on that wait for progress: flushes, and puts that wait for room. */
  readonly progress = Latch.makeUnsafe(false)
  readonly #woken = Latch.makeUnsafe(false)
  /** The keys that wait, by the last offer since the last claim; undefined without one. */
  #heard: number | undefined
  /** Flushes that wait, for which age and number do not matter. */
  #flushes = 0
  #isUrged = false
  /** The flusher sleeps until the next offer, whatever it is. */
  #isIdle = false

  constructor(settings: Settings<K, A, E>, tally: Tally) {
    this.#settings = settings
    this.#tally = tally
  }

  readonly wake = (waiting: number): void => {
    if (waiting === Infinity) this.#isUrged = true
    this.#heard = waiting
    if (this.#isIdle || waiting >= this.#settings.batch) this.#woken.openUnsafe()
  }

  /** Writes everything at once while an effect runs. */
  during<B, E2>(effect: Effect.Effect<B, E2>): Effect.Effect<B, E2> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.#flushes += 1
        this.#woken.openUnsafe()
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          this.#flushes -= 1
        }),
    )
  }

  /** Never ends. */
  get run(): Effect.Effect<never> {
    return Effect.forever(this.#round)
  }

  get #round(): Effect.Effect<void> {
    const { batch, lines, lock, maxLag, outbox } = this.#settings
    return Effect.gen({ self: this }, function* () {
      this.#heard = undefined
      this.#woken.closeUnsafe()
      const isUrgent = this.#flushes > 0 || this.#isUrged
      const claims = yield* outbox.claim(
        {
          max: batch,
          lockMillis: lock,
          minCount: isUrgent ? 1 : batch,
          minAgeMillis: isUrgent ? 0 : maxLag / 2,
        },
        (write, bury) => this.#dead(write, bury),
      )
      const [first, ...others] = claims.writes
      if (first !== undefined) return yield* this.#flush([first, ...others])
      this.#isUrged = false
      this.#tally.saw(yield* outbox.depth)
      yield* this.#sleep(claims.nextMillis)
    }).pipe(
      // Also an interruption from within: only that of this fiber ends the flusher, and that one ends the rest.
      Effect.catchCause((cause) =>
        Effect.andThen(
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : Effect.sync(() =>
                lines.write(
                  "Warn",
                  "outage",
                  "the outbox did not answer, trying again",
                  Cause.squash(cause),
                ),
              ),
          Effect.sleep(Duration.millis(outboxRestMillis)),
        ),
      ),
    )
  }

  #sleep(nextMillis: number | undefined): Effect.Effect<void> {
    const { batch, maxLag, outbox } = this.#settings
    return Effect.suspend(() => {
      this.#isIdle = nextMillis === undefined
      const heard = this.#heard
      if (heard !== undefined && (this.#isIdle || heard >= batch)) return Effect.void
      // Where offers of other processes are not heard of, the flusher must ask often enough to keep `maxLag`.
      const asks = outbox.hears === "own" ? maxLag / 4 : Infinity
      const lag = this.#tally.lagInMillis ?? Infinity
      const millis = Math.min(nextMillis ?? Infinity, lag, asks)
      if (millis === Infinity) return this.#woken.await
      const slept = Effect.asVoid(
        Effect.timeoutOption(this.#woken.await, Duration.millis(Math.ceil(millis))),
      )
      // A process lives on while it has writes to flush, and not only to ask for those of others.
      return this.#isIdle && lag === Infinity ? ProcessLife.inBackground(slept) : slept
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.#isIdle = false
        }),
      ),
    )
  }

  #flush(writes: NonEmptyReadonlyArray<ClaimedWrite<K, A>>): Effect.Effect<void, unknown> {
    const { lock, outbox } = this.#settings
    const renewal = Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(Duration.millis(lock / 3))
      // A renewal that fails is tried again; a lock that is lost is noticed when the write has ended.
      yield* Effect.ignore(outbox.renew(writes, lock))
      yield* Effect.ignore(Effect.map(outbox.depth, (depth) => this.#tally.saw(depth)))
    })
    return this.#write(writes).pipe(
      // The next flusher need not wait for the end of the lock.
      Effect.onInterrupt(() => Effect.ignore(outbox.retry(writes, 0))),
      Effect.raceFirst(Effect.forever(renewal)),
      Effect.ensuring(this.progress.release),
    )
  }

  #write(writes: NonEmptyReadonlyArray<ClaimedWrite<K, A>>): Effect.Effect<void, unknown> {
    return Effect.flatMap(Effect.exit(this.#attempt(writes)), (exit) => {
      if (Exit.isSuccess(exit)) return this.#ended(writes, exit.value)
      if (writes.length === 1) return this.#failed(writes[0], exit.cause)
      // One bad write must not hold up the others.
      return Effect.forEach(writes, (write) => this.#write([write]), {
        concurrency: singleWritesAtOnce,
        discard: true,
      })
    })
  }

  #attempt(
    writes: NonEmptyReadonlyArray<ClaimedWrite<K, A>>,
  ): Effect.Effect<ReadonlyMap<K, E>, E | WriteTimeout | InvalidAnswer> {
    const { timeout, writeMany } = this.#settings
    const written = Effect.suspend(() => {
      // Copies: user code may empty the array, and the flusher still has to say what became of its claims.
      const [first, ...others] = writes
      return writeMany([{ ...first }, ...others.map((write) => ({ ...write }))])
    })
    const late = () => Effect.fail(new WriteTimeout({ millis: timeout }))
    return Effect.flatMap(
      Deadline.hard(written, { after: timeout, onTimeout: late }),
      failuresIn<K, E>,
    )
  }

  #ended(writes: Writes<K, A>, failures: ReadonlyMap<K, E>): Effect.Effect<void, unknown> {
    const failed = writes.filter(({ key }) => failures.has(key))
    const written = writes.filter((write) => !failed.includes(write))
    return Effect.andThen(
      this.#written(written),
      Effect.forEach(failed, (write) => this.#failed(write, Cause.fail(failures.get(write.key)!)), {
        discard: true,
      }),
    )
  }

  #written(writes: Writes<K, A>): Effect.Effect<void, unknown> {
    const { outbox, parts } = this.#settings
    if (writes.length === 0) return Effect.void
    return Effect.gen({ self: this }, function* () {
      yield* recommit(this.#settings, writes)
      yield* outbox.done(writes)
      this.#tally.flushed.written += writes.length
      parts?.observer.tell({ _tag: "WritesFlushed", count: writes.length })
    })
  }

  #failed(
    write: ClaimedWrite<K, A>,
    cause: Cause.Cause<E | WriteTimeout | InvalidAnswer>,
  ): Effect.Effect<void, unknown> {
    const { maxAttempts, outbox, retry } = this.#settings
    return Effect.gen({ self: this }, function* () {
      this.#tally.flushed.failed += 1
      const error = Cause.squash(cause)
      // A defect or a timeout is an input like any failure: the schedule rarely looks at it. One that
      // fails on it must not keep the write claimed for ever.
      const delay = yield* Effect.catchCause(
        retryDelay(retry, write.attempts, error as E),
        (failure) =>
          Cause.hasInterruptsOnly(failure)
            ? Effect.failCause(failure)
            : Effect.succeed(longestRetryMillis),
      )
      if (delay !== undefined && write.attempts < maxAttempts) {
        return yield* outbox.retry([write], delay)
      }
      yield* this.#bury(write, error)
    })
  }

  #bury(write: ClaimedWrite<K, A>, error: unknown): Effect.Effect<void, unknown> {
    const why = reasonOf(error)
    const dead = { ...write, key: Option.some(write.key), why }
    return this.#dead(dead, this.#settings.outbox.bury(write, why))
  }

  #dead(
    { attempts, key: ofWrite, version, why }: UndecodedWrite<K>,
    bury: Effect.Effect<boolean, unknown>,
  ): Effect.Effect<void, unknown> {
    const { larder, lines, parts } = this.#settings
    return Effect.gen({ self: this }, function* () {
      // Freshness ends first: a process that dies in between must not leave a value fresh that the source
      // will never have.
      const isDead = yield* Option.match(ofWrite, {
        onNone: () => bury,
        onSome: (key) => larder.around(key, { before: "expire" })(bury),
      })
      if (!isDead) return
      const key = Option.getOrUndefined(Option.map(ofWrite, (one) => parts?.keyOf(one))) ?? ""
      this.#tally.flushed.dead += 1
      parts?.observer.tell({ _tag: "WriteDead", key, version, attempts, why })
      const shown = Option.isNone(ofWrite) ? undefined : parts?.observer.showKey(key)
      lines.write(
        "Error",
        "dead",
        `a write${shown === undefined ? "" : ` of ${shown}`} is a dead letter after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}: ${why}`,
      )
    })
  }
}

const reasonOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.length > deadReasonCharacters ? `${text.slice(0, deadReasonCharacters - 1)}…` : text
}
