/** Changes that run to their end, though their caller is interrupted. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { LarderClosed } from "../../LarderError.ts"
import { withoutInterrupts } from "../runtime/withoutInterrupts.ts"
import { forCaller } from "../state/spanEvents.ts"
import type { Engine } from "../state/engine.ts"

/**
 * Runs a change to its end, though its caller is interrupted: the tier may have applied it already.
 * Bounded by `tierTimeout`. A larder that closes waits for it up to `closeTimeout`; then the
 * caller, which was not interrupted itself, gets `LarderClosed`.
 */
export const seenThrough = <A>(engine: Engine, effect: Effect.Effect<A>): Effect.Effect<A> => {
  const closed = () => new LarderClosed({ larder: engine.settings.name })
  return Effect.uninterruptible(
    Effect.withFiber((fiber) => {
      if (engine.closed) return Effect.die(closed())
      const own = engine.fibers.forkAwaited(forCaller(fiber.cache.span, effect))
      return Effect.flatMap(Fiber.await(own), (exit) => withoutInterrupts(exit, closed))
    }),
  )
}
