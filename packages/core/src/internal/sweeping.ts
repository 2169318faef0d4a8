/** Early refresh on a schedule: the draw that a read would make, made for keys that are read in bursts. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { decide, anything, inBackground } from "./asking.ts"
import type { Engine } from "./engine.ts"

const tick = (engine: Engine, latch: Latch.Latch) =>
  Effect.gen(function* () {
    yield* latch.await
    const read = engine.near.readSince()
    // Nothing was read since the last tick: rest until something is.
    if (read.length === 0) {
      latch.closeUnsafe()
      return
    }
    for (const slot of read) {
      const { action, hand } = decide(engine, slot.key, anything, engine.now())
      if (action._tag !== "Serve" || !action.refresh || hand === undefined) continue
      engine.observer.counters.earlyRefreshes += 1
      engine.observer.tell({ _tag: "EarlyRefresh", key: slot.key })
      const call = { key: slot.asked, k: slot.key, span: undefined }
      inBackground(engine, call, hand, true)
    }
  })

/** Sweeps until the scope closes. */
export const sweep = (
  engine: Engine,
  schedule: Schedule.Schedule<unknown>,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const latch = Latch.makeUnsafe(false)
    engine.onUse = () => latch.openUnsafe()
    return Effect.asVoid(
      Effect.forkScoped(Effect.repeat(tick(engine, latch), schedule), {
        startImmediately: true,
      }),
    )
  })
