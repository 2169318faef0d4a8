/** Early refresh on a schedule: the draw that a read would make, made for keys that are read in bursts. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { anything, decide, inBackground } from "./asking.ts"
import type { Engine } from "./engine.ts"

/** A sweep looks at so many keys, those read last first. */
const hotKeys = 1_000

const tick = (engine: Engine, latch: Latch.Latch): Effect.Effect<void> =>
  Effect.andThen(
    latch.await,
    Effect.sync(() => {
      const now = engine.now()
      // Nothing here is fresh any more: rest until something is kept.
      if (now >= engine.lastFresh) latch.closeUnsafe()
      for (const { asked, key } of engine.near.hot(hotKeys)) {
        const { action, hand } = decide(engine, key, anything, now)
        if (action._tag !== "Serve" || !action.refresh || hand === undefined) continue
        engine.observer.counters.earlyRefreshes += 1
        engine.observer.tell({ _tag: "EarlyRefresh", key })
        inBackground(engine, { key: asked, k: key, span: undefined }, hand, true)
      }
    }),
  )

/** Sweeps until the scope closes. */
export const sweep = (
  engine: Engine,
  schedule: Schedule.Schedule<unknown>,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const latch = Latch.makeUnsafe(false)
    engine.onKeep = () => latch.openUnsafe()
    return Effect.asVoid(
      Effect.forkScoped(Effect.repeat(tick(engine, latch), schedule), { startImmediately: true }),
    )
  })
