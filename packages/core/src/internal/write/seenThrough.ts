/** Changes that are seen to their end, whoever leaves. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { LarderClosed } from "../../LarderError.ts"
import { withoutInterrupts } from "../runtime/withoutInterrupts.ts"
import type { Engine } from "../state/engine.ts"

/**
 * What has been sent may have been applied, so it is seen to its end, whoever
 * leaves, and before the larder closes. Bounded by tierTimeout. Closing gives it
 * up after `closeTimeout`: its caller was not interrupted, and is told why.
 */
export const seenThrough = <A>(engine: Engine, effect: Effect.Effect<A>): Effect.Effect<A> => {
  const closed = () => new LarderClosed({ larder: engine.settings.name })
  return Effect.uninterruptible(
    Effect.suspend(() =>
      engine.closed
        ? Effect.die(closed())
        : Effect.flatMap(Fiber.await(engine.fibers.forkAwaited(effect)), (exit) =>
            withoutInterrupts(exit, closed),
          ),
    ),
  )
}
