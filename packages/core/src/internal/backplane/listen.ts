/** Listens to the messages of the arbiter until the larder closes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Message } from "../../Tier.ts"
import { listenPauseMillis } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { detected, ended } from "./gap.ts"
import { receive } from "./receive.ts"

const everywhere = { part: undefined }

/** Does nothing where there is no arbiter, or it does not notify. Does not wait for the tier. */
export const listen = (engine: Engine): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    return arbiter?.listen === undefined
      ? Effect.void
      : Effect.asVoid(
          Effect.forkScoped(subscribed(engine, arbiter, arbiter.listen), {
            startImmediately: true,
          }),
        )
  })

/** A memory tier of the user may throw: then an outdated entry may be left, as after a gap. */
const safely = (engine: Engine, arbiter: FartherTier, message: Message): void => {
  try {
    receive(engine, arbiter, message)
  } catch {
    detected(engine, arbiter, "hole", undefined)
  }
}

/** Subscribes; tries again for as long as the tier fails. */
const subscribed = (
  engine: Engine,
  arbiter: FartherTier,
  subscribe: NonNullable<FartherTier["listen"]>,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let isMissing = false
    for (;;) {
      const attempt = yield* Scope.fork(scope)
      const subscribing = subscribe((message) => safely(engine, arbiter, message))
      const done = yield* Effect.exit(Scope.provide(subscribing, attempt))
      if (Exit.isSuccess(done)) break
      yield* Scope.close(attempt, done)
      if (!isMissing) detected(engine, arbiter, "disconnected", undefined)
      isMissing = true
      yield* engine.sleep(listenPauseMillis)
    }
    // What was read before the subscription began is suspect: at the start, memory is empty.
    if (isMissing || engine.near.size > 0) ended(engine, arbiter, everywhere)
  })
