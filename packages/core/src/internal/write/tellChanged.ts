/** Tells listeners of changes by callers, each once, when it is acknowledged. */
import * as Effect from "effect/Effect"
import type { Changed } from "../../LarderEvent.ts"
import type { Engine } from "../state/engine.ts"
import type { Ack } from "./ack.ts"

export const tellChanged = (
  engine: Engine,
  change: Pick<Changed, "operation" | "key" | "tags">,
  applied: Effect.Effect<Ack>,
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { observer } = engine
    if (observer.listeners === 0) return applied
    const began = engine.stopwatch()
    return Effect.map(applied, (ack) => {
      const { refused, settled, version } = ack
      const millis = Math.round(engine.stopwatch() - began)
      if (refused !== true) observer.tell({ _tag: "Changed", ...change, version, settled, millis })
      return ack
    })
  })
