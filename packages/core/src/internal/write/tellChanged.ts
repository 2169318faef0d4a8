/** Counts changes by callers, each once, when it is acknowledged, and tells listeners. */
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
    const counts = observer.counters.changes[change.operation]
    const began = engine.stopwatch()
    return Effect.map(applied, (ack) => {
      const { refused, settled, version } = ack
      if (refused === true) return ack
      if (settled) counts.settled += 1
      else counts.unsettled += 1
      if (observer.listeners === 0) return ack
      const millis = Math.round(engine.stopwatch() - began)
      observer.tell({ _tag: "Changed", ...change, version, settled, millis })
      return ack
    })
  })

/** As {@link tellChanged}, of one key: its next lookup begins anew, and is part of no stampede. */
export const changed = (
  engine: Engine,
  operation: Extract<Changed["operation"], "set" | "expire" | "remove">,
  k: string,
  applied: Effect.Effect<Ack>,
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    engine.stampedes.changed(k)
    return tellChanged(engine, { operation, key: k }, applied)
  })
