/** A write-behind: its writer, its flusher, and how it closes. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { ClaimedWrite } from "../../Outbox.ts"
import type { Flushed, WriteBehind } from "../../WriteBehind.ts"
import { partsOf } from "../observe/larderParts.ts"
import { firstFlushPauseMillis, longestFlushPauseMillis } from "../runtime/limits.ts"
import { Flusher } from "./flusher.ts"
import { Lines } from "./lines.ts"
import type { OutboxFailed } from "./outboxErrors.ts"
import type { Settings } from "./settings.ts"
import { Tally } from "./tally.ts"
import { Writer } from "./writer.ts"

interface Given<K, A, E, R> extends Omit<
  Settings<K, A, unknown>,
  "clock" | "parts" | "lines" | "writeMany" | "retry"
> {
  readonly retry: Settings<K, A, unknown>["retry"]
  readonly writeMany: (
    batch: NonEmptyReadonlyArray<ClaimedWrite<K, A>>,
  ) => Effect.Effect<ReadonlyMap<K, E> | void, E, R>
}

/** Clocks are read in whole milliseconds, the store's and this one. */
const roundingMillis = 2

export const behind = <K, A, E, R>(
  given: Given<K, A, E, R>,
  flushes: boolean,
): Effect.Effect<WriteBehind<K, A>, never, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const context = Context.omit(
      Scope.Scope,
      Tracer.ParentSpan,
    )(yield* Effect.context<Exclude<R, Scope.Scope>>())
    const settings: Settings<K, A, E> = {
      ...given,
      clock,
      parts: partsOf(given.larder),
      lines: new Lines(given.name, given.larder.name, clock, context as Context.Context<never>),
      writeMany: (batch) =>
        Effect.scoped(
          Effect.provideContext(
            given.writeMany(batch) as Effect.Effect<
              ReadonlyMap<K, E> | void,
              E,
              Exclude<R, Scope.Scope> | Scope.Scope
            >,
            context as Context.Context<Exclude<R, Scope.Scope>>,
          ),
        ),
    }
    const { closeTimeout, maxLag, outbox, parts } = settings
    const tally = new Tally(clock, maxLag, parts?.observer)
    const flusher = new Flusher(settings, tally)
    const pause = (millis: number) =>
      Effect.asVoid(Effect.timeoutOption(flusher.progress.await, Duration.millis(millis)))
    const writer = new Writer(settings, pause)
    const flush = flusher.during(flushed(settings, pause))
    if (flushes) {
      yield* tally.register(settings.larder.name, context as Context.Context<never>)
      yield* outbox.listen(flusher.wake)
      const fiber = yield* Effect.forkDetach(flusher.run, { startImmediately: true })
      // Last in, so first out: the larder and the outbox are still open.
      yield* Effect.addFinalizer(() =>
        Effect.gen(function* () {
          const began = clock.currentTimeMillisUnsafe()
          writer.isClosed = true
          yield* Effect.ignore(Effect.timeoutOption(flush, Duration.millis(closeTimeout)))
          fiber.interruptUnsafe()
          const left = Math.max(0, began + closeTimeout - clock.currentTimeMillisUnsafe())
          yield* Effect.timeoutOption(Fiber.await(fiber), Duration.millis(left))
          yield* reportLeft(settings)
        }),
      )
    } else {
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          writer.isClosed = true
        }),
      )
    }
    return {
      put: (key, value) =>
        Effect.map(writer.offer(key, Option.some(value)), (version) => ({ version })),
      remove: (key) => Effect.asVoid(writer.offer(key, Option.none())),
      flush,
      depth: outbox.depth,
    }
  })

/** Ends when no write is left that is as old as this call. */
const flushed = <K, A, E>(
  { clock, outbox }: Settings<K, A, E>,
  pause: (millis: number) => Effect.Effect<void>,
): Effect.Effect<Flushed, OutboxFailed> =>
  Effect.gen(function* () {
    const began = clock.currentTimeMillisUnsafe()
    const before = yield* outbox.depth
    let depth = before
    for (let millis = firstFlushPauseMillis; ;) {
      const passed = clock.currentTimeMillisUnsafe() - began
      if (depth.waiting + depth.inFlight === 0) break
      if (depth.oldestMillis + roundingMillis < passed) break
      yield* pause(millis)
      millis = Math.min(millis * 2, longestFlushPauseMillis)
      depth = yield* outbox.depth
    }
    const dead = Math.max(0, depth.dead - before.dead)
    return { written: Math.max(0, before.waiting + before.inFlight - dead), dead }
  })

const reportLeft = <K, A, E>({ lines, name, outbox }: Settings<K, A, E>): Effect.Effect<void> =>
  Effect.matchEffect(outbox.depth, {
    onFailure: (failure) =>
      Effect.sync(() =>
        lines.write("Warn", "left", "closed, and the outbox does not say what is left", failure),
      ),
    onSuccess: ({ inFlight, waiting }) => {
      const left = waiting + inFlight
      if (left === 0) return Effect.void
      const writes = left === 1 ? "1 write" : `${left} writes`
      return outbox.durability === "process"
        ? Effect.logError(
            `${name}: closed with ${writes} that the source does not have; they are lost with the process, since its outbox is in memory`,
          )
        : Effect.logWarning(
            `${name}: closed with ${writes} that the source does not have yet; they stay in the outbox for the next process`,
          )
    },
  })
