/** The end of a larder: nobody waits any longer, writes are flushed, lookups are interrupted, nothing is left running. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { LarderClosed } from "../../LarderError.ts"
import type { Engine } from "../state/engine.ts"
import { tellMissed } from "../recover/replay.ts"

const settled = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() =>
    engine.fibers.awaited.size === 0
      ? Effect.void
      : Effect.andThen(Fiber.awaitAll([...engine.fibers.awaited]), settled(engine)),
  )

/** One whose end is just being told may be the reason for the closing, and still be among them. */
const unended = (fibers: ReadonlySet<Fiber.Fiber<unknown, unknown>>): number =>
  [...fibers].filter((fiber) => fiber.pollUnsafe() === undefined).length

export const close = (engine: Engine): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { closeMillis, name } = engine.settings
    const began = engine.stopwatch()
    engine.closed = true
    engine.entries.close()
    // Those that were given up before and have not ended yet are known to disobey.
    const running = [...engine.fibers.running]
    // Told first, and that it is closed: they were not interrupted themselves.
    const closed = Exit.die(new LarderClosed({ larder: name }))
    const outcome = {
      _tag: "Failure",
      exit: closed,
      reason: "failed",
      graceDenied: false,
      notReturned: false,
    } as const
    engine.flights.close(outcome, (waiter) => {
      engine.callers.left()
      waiter.fail(closed)
    })
    engine.timers.stop()
    // There is no later: what a breaker keeps away from a tier is tried all the same.
    for (const tier of engine.stack.farther) tier.insist()
    engine.writes.close()
    const told = tellMissed(engine)
    for (const fiber of engine.fibers.running) fiber.interruptUnsafe()
    // Together with the writes: a lookup that disobeys must not use up their time.
    yield* Effect.all([Fiber.awaitAll(running), settled(engine), told], {
      concurrency: "unbounded",
    }).pipe(
      // Lookups that were interrupted give their leases back, and changes that were under way may have been missed.
      Effect.andThen(settled(engine)),
      Effect.andThen(told),
      Effect.timeoutOption(Duration.millis(Math.max(0, began + closeMillis - engine.stopwatch()))),
    )
    engine.writes.stop()
    const left =
      unended(engine.fibers.running) +
      unended(engine.fibers.awaited) +
      unended(engine.fibers.abandoned)
    if (left > 0) {
      yield* Effect.logWarning(
        `${name}: closed after ${closeMillis} ms with ${left} fibers that disobey their interruption`,
      )
    }
    if (!engine.missed.isEmpty || engine.writes.size > 0) {
      yield* Effect.logWarning(
        `${name}: closed before ${engine.stack.farther.at(-1)?.name} heard of all changes`,
      )
    }
    for (const fiber of engine.fibers.awaited) fiber.interruptUnsafe()
    yield* engine.observer.close
  })
