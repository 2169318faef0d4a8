/** Closes a larder: fails all waiters, flushes writes, interrupts lookups, and leaves no fiber running. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as answers from "../observe/answers.ts"
import { closed } from "../state/closed.ts"
import type { Engine } from "../state/engine.ts"
import { tellMissed } from "../recover/replay.ts"

const settled = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() =>
    engine.fibers.awaited.size === 0
      ? Effect.void
      : Effect.andThen(Fiber.awaitAll([...engine.fibers.awaited]), settled(engine)),
  )

/** Fibers that still run. A fiber whose observers run now has ended, though it is still in the set. */
const unended = (fibers: ReadonlySet<Fiber.Fiber<unknown, unknown>>): number =>
  [...fibers].filter((fiber) => fiber.pollUnsafe() === undefined).length

/**
 * Waits for the writes of the source under way, up to half of `closeTimeout`: the rest is for what waits
 * for tiers. Calls are served meanwhile. Law 23: what then remains may change the source when nobody tells
 * the cache any more.
 */
const finishWrites = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fibers, observer, openWrites, settings, warnings } = engine
    openWrites.isClosing = true
    if (openWrites.size === 0 || observer.isKilled()) return Effect.void
    const millis = settings.closeMillis / 2
    const ended = Effect.timeoutOption(openWrites.ended, Duration.millis(millis))
    return Effect.map(ended, (ended) => {
      if (Option.isSome(ended)) return
      warnings.warn(
        "closed in writes",
        `closed with ${openWrites.size} writes of the source under way after half of closeTimeout, ${millis} ms: their keys are expired, and their callers get LarderClosed; raise closeTimeout, or end writes before the scope closes`,
      )
      // These changes begin while the larder is open, and closing waits for them as for all changes.
      fibers.forkAwaited(openWrites.doubted)
    })
  })

export const close = (engine: Engine): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { closeMillis } = engine.settings
    const began = engine.stopwatch()
    yield* finishWrites(engine)
    engine.closed = true
    engine.closing.openUnsafe()
    engine.entries.close()
    // Without the fibers abandoned earlier, which are known to disobey their interruption.
    const running = [...engine.fibers.running]
    // Fail the waiters first, with `LarderClosed`: the callers were not interrupted themselves.
    const exit = closed(engine)
    const outcome = {
      _tag: "Failure",
      exit,
      reason: "closed",
      graceDenied: false,
      notReturned: false,
    } as const
    engine.flights.close(outcome, (waiter, { k }) => {
      engine.callers.left()
      answers.failed(engine.observer, k, "closed", engine.stopwatch() - waiter.arrivedAt)
      waiter.fail(exit)
    })
    engine.timers.stop()
    // This is the last chance to write: ignore open breakers.
    for (const tier of engine.stack.farther) tier.insist()
    engine.writes.close()
    const told = tellMissed(engine)
    engine.fibers.close()
    // In parallel with the writes: a lookup that disobeys its interruption must not use up their time.
    const ended = yield* Effect.all([Fiber.awaitAll(running), settled(engine), told], {
      concurrency: "unbounded",
    }).pipe(
      // Interrupted lookups release their leases, and changes under way may have become missed ones.
      Effect.andThen(settled(engine)),
      Effect.andThen(told),
      // Last: each of these may have made a change that other nodes must hear of.
      Effect.andThen(engine.outbox.allSent),
      Effect.timeoutOption(Duration.millis(Math.max(0, began + closeMillis - engine.stopwatch()))),
    )
    engine.writes.stop()
    const late = Option.isNone(ended) ? ` after closeTimeout, ${closeMillis} ms,` : ""
    const cutOff = unended(engine.fibers.awaited)
    for (const fiber of engine.fibers.awaited) fiber.interruptUnsafe()
    const left = unended(engine.fibers.running) + unended(engine.fibers.abandoned)
    if (left > 0) {
      engine.warnings.warn(
        "closed running",
        `closed${late} with ${left} fibers that ignore their interruption; make their lookups interruptible`,
      )
    }
    if (cutOff > 0) {
      engine.warnings.warn(
        "closed writing",
        `closed${late} with ${cutOff} writes unfinished; raise closeTimeout if a tier is slow`,
      )
    }
    if (!engine.missed.isEmpty || engine.writes.size > 0) {
      engine.warnings.warn(
        "closed missing",
        (tier = "the tier") =>
          `closed before ${tier} had all changes, so other nodes may serve older values; raise closeTimeout if the tier is slow`,
        { tier: engine.stack.farther.at(-1)?.name ?? engine.nearName },
      )
    }
    const { unsent } = engine.outbox
    if (unsent > 0) {
      engine.warnings.warn(
        "closed unsent",
        (name) =>
          `closed before the backplane${name === undefined ? "" : ` ${name}`} had taken ${unsent} ${unsent === 1 ? "message" : "messages"} about changes, so other nodes may serve older values; raise closeTimeout if the backplane is slow`,
        { backplane: engine.backplane.name },
      )
    }
    yield* engine.observer.close
  })
