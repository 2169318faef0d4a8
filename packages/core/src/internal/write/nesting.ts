/**
 * Writes of one key inside each other. An `update` inside an `update` or a `through` of its key would wait
 * for the outer one, which waits for it; a `through` inside an `update` would make it begin anew each time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import { invalidOption } from "../state/settings.ts"

interface Writing {
  readonly call: "through" | "update"
  readonly engine: Engine
  readonly k: string
  /** Fibers that the write has started may outlive it, and see it around them still. */
  isOver: boolean
}

/** The writes around the current effect. */
const Around = Context.Reference<ReadonlyArray<Writing>>("@larder/core/WritesAround", {
  defaultValue: () => [],
})

/** Runs what the user gave to a write. */
export const within = <A, E, R>(
  engine: Engine,
  call: Writing["call"],
  k: string,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const writing = { call, engine, k, isOver: false }
    const over = Effect.sync(() => {
      writing.isOver = true
    })
    const inside = Effect.updateService(effect, Around, (around) => [...around, writing])
    return Effect.ensuring(inside, over)
  })

/** Ends with a defect inside one of these writes of the same key. */
export const notInside = <A, E, R>(
  engine: Engine,
  call: Writing["call"],
  k: string,
  outer: ReadonlyArray<Writing["call"]>,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Around, (around) => {
    const found = around.find(
      (one) => one.engine === engine && one.k === k && !one.isOver && outer.includes(one.call),
    )
    if (found === undefined) return effect
    const must = `not be called inside \`${found.call}\` of the same key, which it would wait for: write the key once`
    return Effect.die(invalidOption(engine.settings.name, call, must, k))
  })
