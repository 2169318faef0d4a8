/** Larder over memory, with one subscriber that takes every event. */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import type { Larder } from "@larder/core"
import { stack } from "./larder.ts"
import { larderOver } from "./product.ts"

type Subscription = Effect.Success<Larder.Larder<string, unknown>["subscribe"]>

/** Counts what it hears, the events it was too slow for as well. */
const consume = (subscription: Subscription, heard: { events: number }): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (;;) {
      for (const event of yield* PubSub.takeAll(subscription)) {
        heard.events += event._tag === "Dropped" ? event.count : 1
      }
    }
  })

export const contender = larderOver(stack, ({ larder, scope }) =>
  Effect.gen(function* () {
    const heard = { events: 0 }
    const subscription = yield* Scope.provide(larder.subscribe, scope)
    yield* Effect.forkIn(consume(subscription, heard), scope)
    const checked = Effect.suspend(() =>
      heard.events > 0 ? Effect.void : Effect.die(new Error("the subscriber heard of nothing")),
    )
    yield* Scope.addFinalizer(scope, checked)
  }),
)
