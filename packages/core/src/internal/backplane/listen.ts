/** Listens to the messages of other nodes until the larder closes: those of the arbiter, or of a backplane. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { none } from "../../Backplane.ts"
import { listenPauseMillis } from "../runtime/limits.ts"
import { inBackground } from "../runtime/processLife.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { detected, ended } from "./gap.ts"
import { linked } from "./link.ts"
import { receive } from "./receive.ts"
import { safely, type Source } from "./source.ts"

const everywhere = { part: undefined }

/**
 * Does nothing where the arbiter does not notify and there is no backplane. Does not wait for either.
 * The fiber ends with the scope.
 */
export const listen = (engine: Engine): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const source = sourceOf(engine)
    return source === undefined
      ? Effect.void
      : Effect.asVoid(
          Effect.forkScoped(inBackground(subscribed(engine, source)), { startImmediately: true }),
        )
  })

const sourceOf = (engine: Engine): Source | undefined => {
  const { backplane, stack } = engine
  const { arbiter } = stack
  if (arbiter?.listen !== undefined) return arbitrated(engine, arbiter, arbiter.listen)
  return backplane === none ? undefined : linked(engine, backplane)
}

/** The messages of the arbiter. A file in front of it is suspect from the start. */
const arbitrated = (
  engine: Engine,
  arbiter: FartherTier,
  listen: NonNullable<FartherTier["listen"]>,
): Source => ({
  subscribe: Effect.as(
    listen((message) => safely(engine, () => receive(engine, arbiter, message))),
    Effect.never,
  ),
  outlives: false,
})

/** Subscribes, and again whenever the subscription fails or ends. */
const subscribed = (engine: Engine, { outlives, subscribe }: Source): Effect.Effect<never> => {
  const { arbiter } = engine.stack
  let isMissing = false
  const once = Effect.scoped(
    Effect.flatMap(subscribe, (over) => {
      // What was read before the subscription began is suspect: at the start, memory is empty.
      if (isMissing || outlives || engine.near.size > 0) ended(engine, arbiter, everywhere)
      isMissing = false
      return over
    }),
  )
  const failed = Effect.suspend(() => {
    if (!isMissing) detected(engine, arbiter, "disconnected", undefined)
    isMissing = true
    return engine.pause(listenPauseMillis)
  })
  return Effect.forever(Effect.andThen(Effect.exit(once), failed))
}
